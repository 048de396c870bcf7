"""Recordings of starts, made by hand, as of runc with and without the latch."""

from __future__ import annotations

from typing import Any

from seclatch.model.recording.recording import (
    ProcessImage,
    RecordedContainer,
    RecordedDenial,
    RecordedEvent,
    RecordedProcess,
    RecordedSession,
    Recording,
)
from seclatch.model.scan import CallChain, Scan, ScannedProgram
from tests.unit.recordings import calls, recording

HOSTILE = [
    "</script><script>alert(1)</script>",
    "\x1b[31m\u202egnp.exe",
    "'\"><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}",
    "[bold]\n",
]


def process(
    id: int, parent: int | None, began: float, ended: float, **more: Any
) -> RecordedProcess:
    values = {
        "id": id,
        "pid": 100 + id,
        "parent": parent,
        "session": 0 if id else None,
        "began": began,
        "ended": ended,
        "status": 0,
        "found_running": False,
        "images": [],
    }
    return RecordedProcess(**(values | more))


def image(time: float, stage: str, *argv: str) -> ProcessImage:
    return ProcessImage(time=time, stage=stage, exe=argv[0], argv=list(argv))


def event(time: float, kind: str, process: int, stage: str, **more: Any) -> RecordedEvent:
    values = {
        "time": time,
        "kind": kind,
        "process": process,
        "thread": 100 + process,
        "stage": stage,
    }
    return RecordedEvent(**(values | more))


def denial(process: int, stage: str, name: str, number: int = 3) -> RecordedDenial:
    return RecordedDenial(
        process=process, stage=stage, arch="x86_64", number=number, name=name, errno=1, count=2
    )


def start(
    *, latched: bool, refused: bool = False, argv: tuple[str, ...] = ("/bin/app", "x")
) -> Recording:
    """Make a start by runc run: 0 the client, 1 runc, 2 its init, the program, which forks 3."""
    events = [
        event(0.01, "exec", 0, "client"),
        event(0.10, "fork", 1, "client"),
        event(0.11, "exec", 1, "runtime"),
        event(0.12, "fork", 2, "init"),
        event(0.13, "lifted", 2, "init"),
        event(0.20, "filter", 2, "filtered-init", filters=1),
        event(0.21, "exec", 2, "program", filters=1),
        event(0.22, "released", 2, "program", filters=1),
        event(0.30, "fork", 3, "program", filters=1),
        event(0.31, "exit", 3, "program", filters=1),
        event(0.40, "exit", 2, "program", filters=1),
        event(0.50, "exit", 0, "client"),
    ]
    images = [image(0.21, "program", *argv)]
    if not latched:
        events = [each for each in events if each.kind not in ("lifted", "released")]
    processes = [
        process(0, None, 0.0, 0.5, images=[image(0.01, "client", "/usr/bin/seclatch", "run")]),
        process(1, 0, 0.1, 0.5, images=[image(0.11, "runtime", "/usr/sbin/runc", "run", "box")]),
        process(2, 1, 0.12, 0.4, images=images),
        process(3, 2, 0.3, 0.31),
    ]
    made = [
        *calls("client", "read write", 3),
        *calls("filtered-init", "capset close execve"),
        *calls("program", "read close", 1234),
    ]
    made = [each if each.stage == "client" else _by(each, 2) for each in made]
    denials = [denial(2, "program", "mkdir", 83)]
    if refused:
        events = [each for each in events if each.time <= 0.2 or each.process < 2]
        events.insert(-1, event(0.205, "exit", 2, "filtered-init", filters=1))
        processes[2] = process(2, 1, 0.12, 0.205, status=256)
        del processes[3]
        made = [each for each in made if each.stage != "program"]
        denials = [denial(2, "filtered-init", "close"), denial(2, "filtered-init", "fstatfs", 138)]
    return recording(
        made,
        events=sorted(events, key=lambda each: each.time),
        processes=processes,
        denials=denials,
        containers=[RecordedContainer(id=0, name="box", runtime="/usr/sbin/runc")],
        sessions=[RecordedSession(id=0, container=0, joined=False, process=2)],
        duration=0.5,
    )


def _by(each: Any, process: int) -> Any:
    import msgspec

    return msgspec.structs.replace(each, process=process)


def crowd(children: int, *, alike: bool = False) -> Recording:
    """Make a program with `children` more processes, each with a name of its own unless alike."""
    base = start(latched=True)
    step = 0.1 / children
    more, events = [], []
    for number in range(children):
        id_, began = 10 + number, 0.23 + number * step
        name = "job" if alike else f"job{number}"
        images = [image(began + step / 4, "program", f"/bin/{name}")]
        more.append(process(id_, 2, began, began + step / 2, images=images))
        for part, kind in enumerate(("fork", "exec", "exit")):
            events.append(event(began + step / 4 * part, kind, id_, "program", filters=1))
    return recording(
        base.calls,
        denials=base.denials,
        containers=base.containers,
        sessions=base.sessions,
        processes=[*base.processes, *more],
        duration=0.5,
        events=sorted([*base.events, *events], key=lambda each: each.time),
    )


def scan(*names: str, source: str = "app.tar") -> Scan:
    """Make a scan of one program that can issue these calls."""
    calls = tuple(CallChain(name, number, ("app:_start",)) for number, name in enumerate(names))
    return Scan(
        source, (ScannedProgram("/bin/app", "x86_64", "the command", ("/bin/app",), calls),)
    )
