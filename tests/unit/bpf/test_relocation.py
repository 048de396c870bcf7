"""CO-RE relocation and linking, compared with clang's output."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.bpf.compiled_object import INSTRUCTION, BpfAccess, CompiledObject
from seclatch.bpf.kernel_types import KernelTypes
from seclatch.bpf.linked_program import POISON, LinkedBpfProgram
from seclatch.system import bpf
from seclatch.system.btf import Btf
from tests.unit.bpf.objects import NAMES, import_compiled, read_object

OBJECTS = {name: import_compiled(name) for name in NAMES}
PROGRAMS = [(name, program) for name, found in OBJECTS.items() for program in found.sections]
MAP_FD = 0x1234

_LOADS_AND_STORES = (1, 2, 3)


def link(name: str, program: str) -> LinkedBpfProgram:
    return LinkedBpfProgram(OBJECTS[name].functions, program)


def accesses(found: CompiledObject, linked: LinkedBpfProgram) -> Iterator[BpfAccess]:
    """Yield what is patched, with offsets in the program's code."""
    for name, begin in linked.begins.items():
        for row in found.functions[name].accesses:
            access = BpfAccess(*row)
            yield access._replace(offset=begin + access.offset)


def answer_by_own_types(btf: Btf, question: str) -> int:
    """Answer as a kernel would that has the object's own types."""
    return btf.offset(question) if "." in question else btf.size(question)


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


@pytest.mark.parametrize("name", NAMES)
def test_functions_are_those_of_clang(name: str) -> None:
    """All of their code but what is patched or linked comes unchanged from the object."""
    file = read_object(name)
    for function in file.functions:
        assert bytes.fromhex(OBJECTS[name].functions[function.name].code) == file.code(function)


@pytest.mark.parametrize(("name", "program"), PROGRAMS)
def test_with_clang_s_own_types_nothing_changes(name: str, program: str) -> None:
    linked, btf = link(name, program), read_object(name).btf
    before = bytes(linked.code)
    rows = list(accesses(OBJECTS[name], linked))
    assert rows or program in ("observe_exit",)
    own: KernelTypes = {each.question: answer_by_own_types(btf, each.question) for each in rows}
    linked.relocate(own)
    assert bytes(linked.code) == before


@given(st.data())
def test_each_access_gets_the_kernel_s_offset_and_nothing_else_changes(data: st.DataObject) -> None:
    name, program = data.draw(st.sampled_from(PROGRAMS))
    linked = link(name, program)
    before = bytes(linked.code)
    rows = list(accesses(OBJECTS[name], linked))
    questions = sorted({each.question for each in rows})
    kernel: KernelTypes = {each: data.draw(st.integers(0, 1 << 14)) for each in questions}
    linked.relocate(kernel)
    patched = {each.offset for each in rows}
    for at, question, rest, exists in rows:
        wanted = 1 if exists else (kernel[question] or 0) + rest
        assert operand(linked.code, at) == wanted
        assert linked.code[at : at + 2] == before[at : at + 2], "operation and registers"
    for at in range(0, len(before), INSTRUCTION):
        if at not in patched:
            assert linked.code[at : at + INSTRUCTION] == before[at : at + INSTRUCTION]


@pytest.mark.parametrize(("name", "program"), PROGRAMS)
def test_a_missing_member_is_poison_where_it_is_used(name: str, program: str) -> None:
    linked = link(name, program)
    rows = list(accesses(OBJECTS[name], linked))
    linked.relocate(dict.fromkeys((each.question for each in rows), None))
    for at, question, _, exists in rows:
        if exists:
            assert operand(linked.code, at) == 0
        else:
            assert linked.code[at : at + 8] == struct.pack("<BBhi", 0x85, 0, 0, POISON)
            assert linked.missing[at] == question


@pytest.mark.parametrize(("name", "program"), PROGRAMS)
def test_calls_lead_to_functions_of_the_program(name: str, program: str) -> None:
    linked = link(name, program)
    assert linked.begins[program] == 0
    begins = set(linked.begins.values())
    called = {0}
    for at in range(0, len(linked.code), INSTRUCTION):
        operation, registers, _, distance = struct.unpack_from("<BBhi", linked.code, at)
        if operation == 0x85 and registers >> 4 == 1:
            target = at + INSTRUCTION * (distance + 1)
            assert target in begins
            called.add(target)
    assert called == begins, "what is appended is called"


@pytest.mark.parametrize("name", NAMES)
def test_calls_are_those_of_clang(name: str) -> None:
    """Within a section clang has counted the distance itself, where there is no symbol."""
    file = read_object(name)
    places = {(each.section, each.value): each.name for each in file.functions}
    for function in file.functions:
        for at, called in OBJECTS[name].functions[function.name].calls:
            symbol = file.relocations[function.section].get(function.value + at)
            (distance,) = struct.unpack_from("<i", file.code(function), at + 4)
            base = symbol.value if symbol else function.value + at
            section = symbol.section if symbol else function.section
            assert places[section, base + INSTRUCTION * (distance + 1)] == called


@pytest.mark.parametrize(("name", "program"), PROGRAMS)
def test_each_reference_is_a_map_of_the_object(name: str, program: str) -> None:
    linked, wanted = link(name, program), []
    linked.refer_to_maps(lambda each: wanted.append(each) or MAP_FD)  # type: ignore[func-returns-value]
    assert set(wanted) <= OBJECTS[name].maps.keys()
    loads = [
        at
        for at in range(0, len(linked.code), INSTRUCTION)
        if linked.code[at] == 0x18 and linked.code[at + 1] >> 4
    ]
    assert len(loads) == len(wanted)
    for at in loads:
        assert struct.unpack_from("<i", linked.code, at + 4)[0] == MAP_FD


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
        assert OBJECTS[name].read_target(program) == (kind, question)


def test_elements_of_an_array_are_added() -> None:
    functions = OBJECTS["recorder.aarch64"].functions.values()
    rests = {(row[1], row[2]) for each in functions for row in each.accesses}
    assert {("pt_regs.regs", 8 * n) for n in range(1, 6)} <= rests


def test_members_are_named_by_their_path() -> None:
    found = OBJECTS["recorder.x86_64"].functions["count_call"]
    names = {row[1] for row in found.accesses}
    assert "task_struct.seccomp.filter_count.counter" in names
    assert "task_struct.thread_info.status" in names
