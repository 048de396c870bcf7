"""Sizes of a profile: the calls that it allows, and the CVEs that it blocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seclatch.filter.query_filter import query_filter
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall
from seclatch.model.filter import Filter
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.meaning import rule_meaning
from seclatch.profile.parse.load_profile import parse_profile

TABLE = Path(__file__).parent / "data/cve36.tsv"
PUBLISHED = Path(__file__).parent / "data/published36.tsv"


def allowed(profile: dict[str, Any]) -> set[str]:
    """Return the calls of x86-64 that are allowed for some arguments."""
    read = rule_meaning.read_meaning(parse_profile(json.dumps(profile), "profile"), Arch.X86_64)
    return {name for name in load_syscalls(Arch.X86_64).numbers if read.may_execute(name)}


def cves() -> dict[str, set[str]]:
    """Read SysPart's table of 36 kernel CVEs and the calls that their exploits need."""
    return {cve: set(calls.split()) for cve, calls in _read_rows(TABLE)}


def list_published(server: str) -> list[tuple[str, int, int]]:
    """List (tool, denied calls, CVEs cut) as published for a server."""
    return [
        (tool, int(denied), int(cut))
        for name, tool, denied, cut in _read_rows(PUBLISHED)
        if name == server
    ]


def _read_rows(path: Path) -> list[list[str]]:
    lines = path.read_text().splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


# What an exploit passes, of calls that servers make, too: a filter that denies these arguments
# closes the hole though the call is allowed. Each CVE needs one of its calls.
ARGUMENTS: dict[str, tuple[tuple[str, dict[int, int]], ...]] = {
    # IPT_SO_SET_REPLACE of SOL_IP and SOL_IPV6, ARPT_SO_SET_REPLACE: tables of x_tables
    **dict.fromkeys(
        ("CVE-2016-3134", "CVE-2016-4997", "CVE-2016-4998"),
        (
            ("setsockopt", {1: 0, 2: 64}),
            ("setsockopt", {1: 41, 2: 64}),
            ("setsockopt", {1: 0, 2: 96}),
        ),
    ),
    # MRT6_INIT of SOL_IPV6
    "CVE-2017-18509": (("setsockopt", {1: 41, 2: 200}),),
    # IP_HDRINCL on a raw socket
    "CVE-2017-17712": (("socket", {0: 2, 1: 3}),),
    # reliable datagram sockets, and a network namespace that ends
    "CVE-2019-11815": (("socket", {0: 21}), ("clone", {0: 0x40000000}), ("clone3", {})),
    # registers written by a tracer
    "CVE-2014-4699": (("ptrace", {}),),
}


def cut_by_arguments(profile: dict[str, Any]) -> int:
    """Count the CVEs that `cut` counts, and those whose arguments are denied."""
    names, query = allowed(profile), _Query(profile)
    total = 0
    for cve, calls in cves().items():
        needs = ARGUMENTS.get(cve)
        closed_by_args = needs is not None and not any(query.allows(*need) for need in needs)
        total += not calls & names or closed_by_args
    return total


class _Query:
    """Asks the filter that runc makes of a profile; unnamed arguments are left open."""

    def __init__(self, profile: dict[str, Any]) -> None:
        parsed = parse_profile(json.dumps(profile), "profile")
        code = compile_profile(parsed, runtime=Runtime.RUNC, native=Arch.X86_64).code
        self._filter = Filter.from_bytes(code, "little")

    def allows(self, name: str, args: dict[int, int]) -> bool:
        numbers = load_syscalls(Arch.X86_64).numbers
        call = Syscall(Arch.X86_64, numbers[name], name)
        words = tuple(args.get(index) for index in range(6))
        answers = query_filter(self._filter, AskedCall(call, words, name))
        return any(
            answer.action.startswith(("SCMP_ACT_ALLOW", "SCMP_ACT_LOG")) for answer in answers
        )


def cut(profile: dict[str, Any]) -> int:
    """Count the CVEs of which all listed calls are denied."""
    names = allowed(profile)
    return sum(not calls & names for calls in cves().values())
