"""CO-RE relocation and linking, compared with clang's output."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.bpf.btf_ext import Access
from seclatch.bpf.core_relocation import POISON, find_member, patch
from seclatch.bpf.linked_program import LinkedBpfProgram
from seclatch.bpf.object_file import INSTRUCTION
from seclatch.bpf.object_loader import BpfObject, read_target
from seclatch.system import bpf
from tests.unit.bpf.objects import NAMES, read_object

OBJECTS = {name: read_object(name) for name in NAMES}
PROGRAMS = [(name, program) for name, found in OBJECTS.items() for program in found.programs]

_LOADS_AND_STORES = (1, 2, 3)


def accesses(found: BpfObject, linked: LinkedBpfProgram) -> Iterator[tuple[int, Access, str, int]]:
    for part in linked.parts:
        for row, question, rest in found.accesses.get(part.function.section, ()):
            at = part.position(row.offset)
            if at is not None:
                yield at, row.kind, question, rest


def answer_by_own_types(found: BpfObject, question: str) -> int:
    """Answer as a kernel would that has the object's own types."""
    return found.btf.offset(question) if "." in question else found.btf.size(question)


def operand(code: bytearray, at: int) -> int:
    """Return clang's operand for its own types, and the patched one."""
    if code[at] & 7 in _LOADS_AND_STORES:
        return int(struct.unpack_from("<h", code, at + 2)[0])
    return int(struct.unpack_from("<i", code, at + 4)[0])


def test_all_objects_exist() -> None:
    recorders, watches = (
        [f"{name}.{machine}" for machine in ("aarch64", "x86_64")] for name in ("recorder", "watch")
    )
    assert [*NAMES] == ["filters", *recorders, *watches]


@pytest.mark.parametrize(("name", "program"), PROGRAMS)
def test_with_clang_s_own_types_nothing_changes(name: str, program: str) -> None:
    found = OBJECTS[name]
    linked = LinkedBpfProgram(found.file, found.programs[program])
    before = bytes(linked.code)
    rows = list(accesses(found, linked))
    assert rows or program in ("observe_exit",)
    for at, kind, question, rest in rows:
        patch(linked.code, at, kind, answer_by_own_types(found, question) + rest)
    assert bytes(linked.code) == before


@given(st.data())
def test_each_access_gets_the_kernel_s_offset_and_nothing_else_changes(data: st.DataObject) -> None:
    name, program = data.draw(st.sampled_from(PROGRAMS))
    found = OBJECTS[name]
    linked = LinkedBpfProgram(found.file, found.programs[program])
    before = bytes(linked.code)
    rows = list(accesses(found, linked))
    questions = sorted({question for _, _, question, _ in rows})
    kernel = {each: data.draw(st.integers(0, 1 << 14)) for each in questions}
    for at, kind, question, rest in rows:
        patch(linked.code, at, kind, kernel[question] + rest)
    patched = {at for at, *_ in rows}
    for at, kind, question, rest in rows:
        wanted = 1 if kind is Access.EXISTS else kernel[question] + rest
        assert operand(linked.code, at) == wanted
        assert linked.code[at : at + 2] == before[at : at + 2], "operation and registers"
    for at in range(0, len(before), INSTRUCTION):
        if at not in patched:
            assert linked.code[at : at + INSTRUCTION] == before[at : at + INSTRUCTION]


@pytest.mark.parametrize(("name", "program"), PROGRAMS)
def test_a_missing_member_is_poison_where_it_is_used(name: str, program: str) -> None:
    found = OBJECTS[name]
    linked = LinkedBpfProgram(found.file, found.programs[program])
    for at, kind, _, _ in accesses(found, linked):
        patch(linked.code, at, kind, None)
        if kind is Access.EXISTS:
            assert operand(linked.code, at) == 0
        else:
            assert linked.code[at : at + 8] == struct.pack("<BBhi", 0x85, 0, 0, POISON)


@pytest.mark.parametrize(("name", "program"), PROGRAMS)
def test_calls_lead_to_functions_of_the_program(name: str, program: str) -> None:
    found = OBJECTS[name]
    linked = LinkedBpfProgram(found.file, found.programs[program])
    assert linked.parts[0].begin == 0
    assert linked.parts[0].function.name == program
    begins = {part.begin: part.function.name for part in linked.parts}
    called = {0}
    for at in range(0, len(linked.code), INSTRUCTION):
        operation, registers, _, distance = struct.unpack_from("<BBhi", linked.code, at)
        if operation == 0x85 and registers >> 4 == 1:
            target = at + INSTRUCTION * (distance + 1)
            assert target in begins
            called.add(target)
    assert called == set(begins), "what is appended is called"


@pytest.mark.parametrize(("name", "program"), PROGRAMS)
def test_each_reference_is_a_map_of_the_object(name: str, program: str) -> None:
    found = OBJECTS[name]
    linked = LinkedBpfProgram(found.file, found.programs[program])
    for at, symbol in linked.references:
        assert linked.code[at] == 0x18, "an instruction that loads 64 bits"
        assert (symbol.name if symbol.section == ".maps" else symbol.section) in found.maps


@pytest.mark.parametrize(
    ("program", "kind", "question"),
    [
        ("count_call", bpf.ProgramKind.TRACEPOINT, "trace:sys_enter"),
        ("adopt_container", bpf.ProgramKind.ITERATOR, "function:bpf_iter_task"),
        ("register_self", bpf.ProgramKind.RAW_TRACEPOINT, ""),
    ],
)
def test_what_programs_are_attached_to(program: str, kind: bpf.ProgramKind, question: str) -> None:
    for name in ("recorder.x86_64", "recorder.aarch64"):
        assert read_target(OBJECTS[name].programs[program]) == (kind, question)


def test_elements_of_an_array_are_added() -> None:
    found = OBJECTS["recorder.aarch64"]
    rests = {
        (question, rest)
        for rows in found.accesses.values()
        for _, question, rest in rows
        if question == "pt_regs.regs"
    }
    assert {("pt_regs.regs", 8 * n) for n in range(1, 6)} <= rests


def test_members_are_named_by_their_path() -> None:
    found = OBJECTS["recorder.x86_64"]
    names = {
        find_member(found.btf, row.type_id, row.path)[0]
        for row, _, _ in found.accesses["tp_btf/sys_enter"]
    }
    assert "task_struct.seccomp.filter_count.counter" in names
    assert "task_struct.thread_info.status" in names
