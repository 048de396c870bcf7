"""Recordings for tests: made by hand, and by hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from seclatch.model.arch import Arch
from seclatch.model.recording.origin import ContainerImage
from seclatch.model.recording.recording import (
    DeniedArgument,
    LostCounts,
    ReadyMark,
    RecordedArgument,
    RecordedCalls,
    RecordedDenial,
    RecordedHost,
    RecordedRole,
    Recording,
    RoleArgument,
    RoleCalls,
)
from seclatch.model.stage import Stage
from seclatch.model.syscall import load_syscalls


def calls(stage: str, names: str, count: int = 1, **more: Any) -> list[RecordedCalls]:
    """One entry a name."""
    numbers = load_syscalls(Arch.X86_64).numbers
    return [
        RecordedCalls(
            process=0,
            stage=stage,
            arch="x86_64",
            number=numbers[name],
            name=name,
            count=count,
            **more,
        )
        for name in names.split()
    ]


def recording(entries: list[RecordedCalls], **more: Any) -> Recording:
    """Make a recording of one run with these calls."""
    values: dict[str, Any] = {
        "seclatch": "0",
        "complete": True,
        "commands": [["runc", "run", "x"]],
        "started": "2026-01-01T00:00:00+00:00",
        "duration": 1.0,
        "hosts": [RecordedHost(kernel="6.12", arch="x86_64")],
        "runtimes": ["runc"],
        "containers": [],
        "sessions": [],
        "processes": [],
        "events": [],
        "calls": entries,
        "denials": [],
        "arguments": [],
    }
    return Recording(**(values | more))


_STAGES = st.sampled_from([each.value for each in Stage])
_NAMES = st.sampled_from([("read", 0), ("write", 1), ("", 511)])
_COUNT = st.integers(1, 1 << 40)


_READY = st.none() | st.builds(
    ReadyMark, time=st.floats(0, 1e6), condition=st.sampled_from(["listen", "log:a, b", "mark"])
)


@st.composite
def _calls(draw: st.DrawFn) -> RecordedCalls:
    name, number = draw(_NAMES)
    count = draw(_COUNT)
    return RecordedCalls(
        process=draw(st.integers(0, 3)),
        stage=draw(_STAGES),
        arch="x86_64",
        number=number,
        name=name,
        count=count,
        running=draw(st.integers(0, count)),
    )


@st.composite
def _denials(draw: st.DrawFn) -> RecordedDenial:
    name, number = draw(_NAMES)
    count = draw(_COUNT)
    return RecordedDenial(
        process=draw(st.integers(0, 3)),
        stage=draw(_STAGES),
        arch="x86_64",
        number=number,
        name=name,
        errno=draw(st.sampled_from([0, 1, 38])),
        count=count,
        running=draw(st.integers(0, count)),
    )


@st.composite
def _arguments(draw: st.DrawFn) -> RecordedArgument:
    return RecordedArgument(
        stage=draw(_STAGES),
        arch="x86_64",
        name="socket",
        index=draw(st.integers(0, 2)),
        value=draw(st.integers(0, (1 << 64) - 1)),
        count=draw(_COUNT),
    )


@st.composite
def _denied_arguments(draw: st.DrawFn) -> DeniedArgument:
    return DeniedArgument(
        process=draw(st.integers(0, 3)),
        stage=draw(_STAGES),
        arch="x86_64",
        name="socket",
        index=draw(st.integers(0, 2)),
        value=draw(st.integers(0, (1 << 64) - 1)),
        count=draw(_COUNT),
    )


@st.composite
def _roles(draw: st.DrawFn) -> list[RecordedRole]:
    name, number = draw(_NAMES)
    call = RoleCalls(arch="x86_64", number=number, name=name, count=draw(_COUNT))
    one = RoleArgument(arch="x86_64", name="socket", index=0, value=2, count=draw(_COUNT))
    names = draw(st.sets(st.sampled_from(["nginx:main", "nginx:worker"])))
    return [
        RecordedRole(name=each, processes=1, calls=[call], arguments=[one])
        for each in sorted(names)
    ]


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Draw any recording, in the fields that merging reads."""
    return recording(
        draw(st.lists(_calls(), max_size=5)),
        denials=draw(st.lists(_denials(), max_size=3)),
        arguments=draw(st.lists(_arguments(), max_size=3)),
        denied_arguments=draw(st.lists(_denied_arguments(), max_size=3)),
        commands=[draw(st.lists(st.text(max_size=3), min_size=1, max_size=2))],
        started=draw(st.sampled_from(["2026-01-01", "2026-01-02"])),
        duration=draw(st.floats(0, 1e6)),
        runtimes=draw(st.sampled_from([["runc"], ["crun"], []])),
        complete=draw(st.booleans()),
        lost=LostCounts(events=draw(st.integers(0, 9))),
        ready=draw(_READY),
        roles=draw(_roles()),
        seclatch=draw(st.sampled_from(["0.1", "0.2"])),
        images=draw(
            st.lists(
                st.builds(
                    ContainerImage,
                    name=st.text(max_size=1),
                    digest=st.sampled_from(["", "sha256:1"]),
                ),
                max_size=2,
            )
        ),
    )
