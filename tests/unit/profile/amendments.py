"""Profiles, denials and logs for the tests of amending."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seclatch.model.arch import Arch
from seclatch.model.capability import name_capabilities
from seclatch.model.denial_log import (
    AnsweringFilter,
    LoggedContainer,
    LoggedDenial,
    LoggedHost,
    WatchEvent,
    encode_line,
)
from seclatch.model.recording.recording import RecordedDenial
from seclatch.model.syscall import load_syscalls
from seclatch.profile.amend.denial_evidence import DenialEvidence
from seclatch.profile.amend.ignored_denials import IgnoredDenials
from seclatch.profile.amend.plan_amendment import AmendedProfile, find_limit
from seclatch.profile.amend.propose_rules import ProposalOptions
from seclatch.profile.compile.resolve_profile import Engine, Host
from seclatch.profile.generate.limits.recorded_limit import DEFAULT_CAPABILITIES

HOST = Host(
    Arch.X86_64, name_capabilities(DEFAULT_CAPABILITIES[Engine.DOCKER]), (6, 12), Engine.DOCKER
)
NUMBERS = load_syscalls(Arch.X86_64).numbers
WEB = LoggedHost(name="web1", id="1" * 32, boot="b")

TEXT = """{
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,

    "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [
        {"names": ["read", "write", "openat"], "action": "SCMP_ACT_ALLOW", "comment": "mine"},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
         "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 2}]},
        {"names": ["clone3", "statx"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"names": ["ptrace"], "action": "SCMP_ACT_KILL_PROCESS", "comment": "never"}
    ]
}
"""


def profile(text: str = TEXT) -> AmendedProfile:
    return AmendedProfile.read(text, "app.json", HOST)


def options(*ignored: str, wider: str = "", overrule: str = "") -> ProposalOptions:
    nothing = IgnoredDenials(Path("app.json.ignored"), "", ())
    return ProposalOptions(
        limit=find_limit(HOST),
        ignored=nothing.extend(ignored, Arch.X86_64),
        wider=frozenset(wider.split()),
        overrule=frozenset(overrule.split()),
    )


def seen(name: str, *args: int, **more: Any) -> DenialEvidence:
    """Make a denial; its arguments are known if any is given."""
    values: dict[str, Any] = {"number": NUMBERS.get(name, 999), "arch": "x86_64", "count": 1}
    known = (*args, *[0] * (6 - len(args))) if args else None
    return DenialEvidence(name=name, args=known, source="web.log", **(values | more))


def recorded(name: str, count: int = 1, errno: int = 1, stage: str = "program") -> RecordedDenial:
    return RecordedDenial(
        process=0,
        stage=stage,
        arch="x86_64",
        number=NUMBERS[name],
        name=name,
        errno=errno,
        count=count,
    )


def line(name: str, *args: int, **more: Any) -> bytes:
    """Make a line of a denial log."""
    values: dict[str, Any] = {
        "time": "2026-11-27T10:00:00Z",
        "until": "2026-11-27T10:00:01Z",
        "count": 1,
        "host": WEB,
        "container": LoggedContainer(id="c" * 64, name="web", image="nginx:1"),
        "unit": "",
        "stage": "program",
        "pid": 7,
        "tid": 7,
        "uid": 0,
        "comm": "nginx",
        "exe": "/usr/sbin/nginx",
        "arch": "x86_64",
        "syscall": name,
        "number": NUMBERS.get(name, 999),
        "args": [hex(value) for value in (*args, *[0] * (6 - len(args)))],
        "arguments": [],
        "answer": "errno",
        "errno": "EPERM",
        "filter": AnsweringFilter(),
        "source": "ebpf",
    }
    return encode_line(LoggedDenial(**(values | more)))


def event(kind: Any, time: str, **more: Any) -> bytes:
    """Make an event of a watcher that sees logged calls."""
    values: dict[str, Any] = {"host": WEB, "sees": ["errno", "log"]}
    return encode_line(WatchEvent(event=kind, time=time, **(values | more)))


def rules_of(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["syscalls"]
    return found
