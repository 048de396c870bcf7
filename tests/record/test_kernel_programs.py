"""This kernel's verifier accepts all programs; errors name the rejected line of C."""

from __future__ import annotations

import os

import pytest

from seclatch.bpf.compiled_object import CompiledObject, import_object
from seclatch.bpf.kernel_types import find_kernel_types
from seclatch.bpf.object_loader import Loader
from seclatch.recording.backends.bpf import loader
from seclatch.system import bpf

pytestmark = pytest.mark.root

RECORDER = f"recorder_{os.uname().machine}"
CALLS = "count_call"
BY_CHECK = {"find_denial_after_check", CALLS}
BY_EXIT = {"find_denial_at_exit", "count_entry"}
DETAIL = "observe_exit"


def make_loader(found: CompiledObject, **constants: bytes) -> Loader:
    return Loader(found, find_kernel_types(found.questions(), "testing"), constants)


# A kernel may refuse programs at its functions (fentry, fexit): tests/watch tries those it takes,
# tests/hosts the recorder with them on Debian's kernels.
AT_FUNCTIONS = {"end_check", "log_call", "find_denial_after_check"}


@pytest.mark.parametrize("which", ["filters", "recorder", "watch"])
def test_all_programs_are_accepted(which: str) -> None:
    machine = "" if which == "filters" else f"_{os.uname().machine}"
    found = import_object(which + machine)
    made = make_loader(found)
    try:
        for program in found.sections.keys() - AT_FUNCTIONS:
            os.close(made.load(program))
    finally:
        made.close()


@pytest.mark.parametrize("watches", [False, True])
@pytest.mark.parametrize("detailed", [False, True])
def test_programs_are_attached_in_each_mode(*, detailed: bool, watches: bool) -> None:
    probe = loader.load(closely=detailed, by_words=watches)
    try:
        found = set(probe.attached)
        by_exit, by_check = found.issuperset(BY_EXIT), found.issuperset(BY_CHECK)
        assert by_exit is not by_check
        assert by_exit or not detailed
        assert (DETAIL in probe.attached) is detailed
    finally:
        probe.close()


def test_a_rejected_program_names_its_line() -> None:
    found = import_object(RECORDER)
    calls = found.functions[CALLS]
    above_the_frame = "7b0a080000000000"  # a store
    found.functions[CALLS] = calls._replace(code=above_the_frame + calls.code[16:])
    made = make_loader(found)
    with pytest.raises(bpf.VerifierError, match=r"program count_call: .* at syscalls\.h:\d+: "):
        made.load(CALLS)
    made.close()


def test_a_member_missing_in_this_kernel_is_named() -> None:
    found = import_object(RECORDER)
    types = find_kernel_types(found.questions(), "testing")
    types["task_struct.seccomp.filter_count.counter"] = None
    made = Loader(found, types)
    with pytest.raises(
        bpf.VerifierError,
        match=r"count_call: .*: this kernel has no task_struct\.seccomp\.filter_count\.counter",
    ):
        made.load(CALLS)
    made.close()


def test_an_optional_member_may_be_absent() -> None:
    """As on Linux 5.8, which has no filter_count: `ps` counts the filters that it reads."""
    found = import_object("filters")
    types = find_kernel_types(found.questions(), "testing")
    types["task_struct.seccomp.filter_count"] = None
    types["task_struct.seccomp.filter_count.counter"] = None
    made = Loader(found, types)
    os.close(made.load("read_filters"))
    made.close()
