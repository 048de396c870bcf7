"""The layouts in Python equal those of the C structures, by the objects' own BTF."""

from __future__ import annotations

import struct

import pytest

from seclatch.process.kernel import kernel_filters
from seclatch.recording.backends.bpf import abi, detail_events
from seclatch.recording.backends.bpf.abi import Control, Event, Mode, Slot, Spec
from seclatch.recording.backends.bpf.detail_events import DetailFlag, Flight, Sight, What
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.system.btf import Btf
from tests.unit.bpf.objects import import_compiled, read_object

RECORDERS = ("recorder.x86_64", "recorder.aarch64")

# Python's constants by the members whose offsets they are.
MEMBERS = {
    Event: {
        "KIND": "event.kind",
        "TID": "event.tid",
        "TIME": "event.time",
        "SEGMENT": "event.segment",
        "PARENT": "event.parent",
        "SLOT": "event.slot",
        "TGID": "event.tgid",
        "CONTAINER": "event.container",
        "FILTERS": "suspension_event.suspended",
        "NUMBER": "denial_event.number",
        "MODE": "denial_event.mode",
        "ERRNO": "denial_event.error",
        "CODE": "exit_event.code",
        "TEXT_LENGTH": "write_event.length",
        "TEXT": "write_event.text",
        "SEEN_PID": "member_event.seen_pid",
        "ALONE": "member_event.by_pid",
        "ARGS_SIZE": "exec_event.args_size",
        "ARGS_FIT": "exec_event.args_fit",
        "FILE": "exec_event.file",
        "ARGS": "exec_event.args",
    },
    Slot: {
        "SEGMENT": "slot.segment",
        "PARENT": "slot.parent",
        "TGID": "slot.tgid",
        "KIND": "slot.kind",
        "TASKS": "slot.tasks",
        "BUDGET": "slot.write_budget",
        "COUNTS": "slot.counts",
    },
    Control: {
        "NEXT_SEGMENT": "control.next_segment",
        "LOST_EVENTS": "control.lost_events",
        "LOST_SLOTS": "control.lost_slots",
        "LOST_RARE": "control.lost_rare",
        "LOST_ARGUMENTS": "control.lost_arguments",
        "LOST_TASKS": "control.lost_tasks",
        "NEXT_SLOT": "control.next_slot",
        "ADOPTED": "control.adopted",
    },
    Sight: {
        "WHAT": "detail_event.kind",
        "TID": "detail_event.tid",
        "TIME": "detail_event.time",
        "SEGMENT": "detail_event.segment",
        "MODE": "detail_event.marks",
        "NUMBER": "detail_event.number",
        "LENGTH": "detail_event.length",
        "RESULT": "detail_event.result",
        "ARGS": "detail_event.arguments",
        "TEXT": "detail_event.text",
    },
    Flight: {"NEXT": "call_log.next", "FIRST": "call_log.calls"},
}
FACTS = {
    name.upper(): f"facts.{name}"
    for name in (
        "filters",
        "suspended",
        "uid",
        "gid",
        "euid",
        "egid",
        "mounts",
        "pids",
        "users",
        "local_pid",
        "net",
        "ipc",
        "uts",
        "cgroup",
        "seccomp",
        "no_new_privs",
        "root",
        "capabilities",
        "comm",
    )
}
SIZES = {
    "event": Event.HEADER,
    "segment_event": Event.FACTS_END,
    "member_event": Event.FOUND_SIZE,
    "exec_event": Event.EXEC_SIZE,
    "exit_event": Event.EXIT_SIZE,
    "suspension_event": Event.SUSPENSION_SIZE,
    "denial_event": Event.DENIAL_SIZE,
    "write_event": Event.SAID_SIZE,
    "slot": Slot.SIZE,
    "control": Control.SIZE,
    "container": abi.CONTAINER.size,
    "adoption": abi.ADOPTION.size,
    "word": abi.WORD_SIZE,
    "rare_key": abi.RARE_KEY.size,
    "argument_key": abi.ARGUMENT_KEY.size,
    "detail_event": Sight.SIZE,
    "call_log": Flight.SIZE,
    "last_call": Flight.ENTRY,
    "facts": Event.FACTS_END - Event.HEADER,
}


@pytest.fixture(scope="module", params=RECORDERS)
def btf(request: pytest.FixtureRequest) -> Btf:
    return read_object(request.param).btf


@pytest.mark.parametrize("part", MEMBERS, ids=lambda part: part.__name__)
def test_offsets(btf: Btf, part: type) -> None:
    here = {name: getattr(part, name) for name in MEMBERS[part]}
    assert here == {name: btf.offset(path) for name, path in MEMBERS[part].items()}


def test_offsets_of_facts(btf: Btf) -> None:
    here = {name: getattr(Event, name) for name in FACTS}
    assert here == {name: Event.HEADER + btf.offset(path) for name, path in FACTS.items()}


def test_sizes(btf: Btf) -> None:
    assert {name: btf.size(name) for name in SIZES} == SIZES


def enumerators(btf: Btf, name: str) -> dict[str, int]:
    (found,) = btf.named(name)
    return {member: value for member, value, _ in found.members}


def test_kinds_of_events(btf: Btf) -> None:
    wanted = {f"EVENT_{kind.name}": kind.value for kind in EventKind}
    assert enumerators(btf, "event_kind") == wanted


def test_modes(btf: Btf) -> None:
    wanted = {f"MODE_{mode.name}": mode.value for mode in Mode}
    assert enumerators(btf, "call_mode") == wanted


def test_detail_kinds_and_marks(btf: Btf) -> None:
    names = {"SAID": "WRITTEN", "SAID_IN_PIECES": "WRITTEN_IN_PIECES"}
    wanted = {f"DETAIL_{names.get(what.name, what.name)}": what.value for what in What}
    assert enumerators(btf, "detail_kind") == wanted
    marks = {f"MARK_{mark.name}": mark.value for mark in DetailFlag}
    assert enumerators(btf, "detail_mark") == marks


@pytest.mark.parametrize("name", RECORDERS)
def test_sizes_of_maps(name: str) -> None:
    found = import_compiled(name)
    assert found.maps["slots"].entries == found.maps["call_logs"].entries == abi.SLOTS
    assert found.maps["events"].entries == abi.RING_SIZE
    assert found.maps["details"].entries == detail_events.RING_SIZE
    assert found.variables["argument_specs"].size == abi.NUMBERS
    assert found.variables["reported_errnos"].size == detail_events.ERRNOS
    control = found.variables["control"]
    initial = abi.CONTROL.unpack_from(
        bytes.fromhex(found.maps[control.map].content), control.offset
    )
    assert initial[0] == initial[6] == abi.FIRST_OWN


def test_layers_of_filters() -> None:
    btf = read_object("filters").btf
    assert btf.size("task_header") == kernel_filters.HEADER.size
    assert btf.size("layer") == kernel_filters.LAYER.size
    assert btf.offset("layer.copy") == struct.calcsize("=Q")
    assert btf.size("store") >= kernel_filters.STORE


def test_specs_are_bits_of_one_byte() -> None:
    assert max(Spec) < 1 << 8
