"""What a profile must allow of processes that run already."""

from __future__ import annotations

import json

import pytest

from seclatch.filter.query_filter import FilterQuery
from seclatch.model.arch import Arch
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.tighten.further_filter import FurtherFilter, decode_program
from seclatch.tighten.process_facts import ProcessFacts
from seclatch.tighten.rehearse import find_denied
from seclatch.tighten.required_calls import find_denied_needs
from tests.unit.recordings import calls, recording

ENOSYS = {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
EPERM = {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}
NO_CLONE = {"names": ["clone"], "action": "SCMP_ACT_ERRNO"}


def deny(*rules: dict[str, object]) -> FurtherFilter:
    document = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": list(rules)}
    code = compile_profile(parse_profile(json.dumps(document), "p.json"), runtime=Runtime.RUNC).code
    return FurtherFilter("p.json", code, 0, decode_program(code, "p.json"))


@pytest.mark.parametrize(
    ("rules", "broken"), [((ENOSYS,), False), ((EPERM,), True), ((ENOSYS, NO_CLONE), True)]
)
def test_glibc_makes_threads_by_clone_where_clone3_is_unknown(
    rules: tuple[dict[str, object], ...], broken: bool
) -> None:
    """Docker's default profile answers clone3 so, and so do those that are made below it."""
    further, arch = deny(*rules), Arch.native()
    call = Syscall(arch, load_syscalls(arch).numbers["clone3"], "clone3")
    server = ProcessFacts(1, "server", arch, calls=(call,))
    assert bool(find_denied_needs(FilterQuery(further.program), [server])) == broken
    rehearsed = recording(calls("program", "clone3 read"))
    assert [each.call for each in find_denied(rehearsed, further)] == ["clone3"] * broken


def test_an_open_ring_needs_io_uring_enter() -> None:
    """node, whose libuv uses one, aborts when that is denied."""
    query = FilterQuery(deny({"names": ["io_uring_enter"], "action": "SCMP_ACT_ERRNO"}).program)
    with_ring = ProcessFacts(1, "node", Arch.native(), has_ring=True)
    assert "io_uring_enter" in str(find_denied_needs(query, [with_ring]))
    assert find_denied_needs(query, [ProcessFacts(1, "node", Arch.native())]) == []
