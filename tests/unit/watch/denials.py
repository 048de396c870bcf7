"""Denials to try targets with."""

from __future__ import annotations

from typing import Any

import msgspec

from seclatch.model.denial_log import (
    AnsweringFilter,
    LoggedContainer,
    LoggedDenial,
    LoggedHost,
    WatchEvent,
)

HOST = LoggedHost(name="host", id="1" * 32, boot="b")
HOSTILE = 'x"\n\x1b[31mred\u202e{} \\ \x00 } PRIORITY=0\n'


def make_denial(**values: Any) -> LoggedDenial:
    plain = LoggedDenial(
        time="2026-11-27T10:00:00.000000Z",
        until="2026-11-27T10:00:00.000000Z",
        count=1,
        host=HOST,
        container=LoggedContainer(id="c" * 64, name="web", image="nginx:1.27"),
        unit="",
        stage="program",
        pid=12,
        tid=12,
        uid=0,
        comm="nginx",
        exe="/usr/sbin/nginx",
        arch="x86_64",
        syscall="mkdir",
        number=83,
        args=["0x1", "0x0", "0x0", "0x0", "0x0", "0x0"],
        arguments=['"/x"'],
        answer="errno",
        errno="EPERM",
        filter=AnsweringFilter(
            fingerprint="80f4269f", profile="strict.json", by="default", text="the default action"
        ),
        source="ebpf",
    )
    return msgspec.structs.replace(plain, **values)


def make_hostile() -> LoggedDenial:
    return make_denial(
        container=LoggedContainer(id=HOSTILE, name=HOSTILE, image=HOSTILE, pod=HOSTILE),
        unit=HOSTILE,
        comm=HOSTILE,
        exe=f"/{HOSTILE}",
        arguments=[HOSTILE, HOSTILE * 1000],
        filter=AnsweringFilter(fingerprint="80f4269f", profile=HOSTILE, text=HOSTILE),
    )


def make_event(**values: Any) -> WatchEvent:
    plain = WatchEvent(event="lost", time="2026-11-27T10:00:00Z", host=HOST, count=3, text="3 lost")
    return msgspec.structs.replace(plain, **values)
