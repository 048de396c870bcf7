"""Tables of expected verdicts: interpreter, decision graph, kernel and profile must all agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.filter.expected_verdicts import ExpectedRow, RowResult, parse_table, run_table
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.rule_match import find_matching_rules
from seclatch.model.seccomp_data import SeccompData
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.parse.load_profile import load_profile
from tests.kernel.probe import Case, agrees, ask
from tests.kernel.simulator import answers

TABLES = Path(__file__).parents[1] / "data" / "verdicts"
HOST = Host(Arch.X86_64, frozenset(), (6, 18), Engine.PODMAN)
PROFILE = narrow_profile(load_profile(Path("/usr/share/containers/seccomp.json")), HOST)
ROWS = parse_table((TABLES / "podman-default.txt").read_text(), "podman-default.txt")


def case_of(program: Filter, row: ExpectedRow) -> Case:
    args = tuple(arg or 0 for arg in row.asked.args)
    syscall = row.asked.syscall
    return Case((program,), syscall.number, args, compat=syscall.arch is Arch.X86)


@pytest.mark.parametrize("runtime", list(Runtime), ids=lambda r: r.value)
def test_every_method_gives_the_expected_verdict(prober: Path, runtime: str) -> None:
    code = compile_profile(PROFILE, runtime=runtime, native=Arch.X86_64).code
    program = Filter.from_bytes(code)
    cases = [case_of(program, row) for row in ROWS]
    bare = [Case((), case.number, case.args, case.compat) for case in cases]
    printed = ask(prober, cases + bare)
    evaluator = CallEvaluator(program)
    for row, case, answer, without in zip(
        ROWS, cases, printed, printed[len(cases) :], strict=False
    ):
        call = SeccompData(row.asked.syscall.arch.audit, case.number, tuple(case.args))
        verdict = simulate_filter(program, call)
        assert verdict.action == row.expected, row
        assert evaluator.value(call) == verdict.value
        assert agrees(verdict, answer, without), (row, answer, without)


def test_libseccomps_simulator_agrees_on_the_same_rows(libseccomp_simulator: Any) -> None:
    """Compiled as crun does: the simulator does not support the JSET of runc's stub."""
    code = compile_profile(PROFILE, runtime=Runtime.CRUN, native=Arch.X86_64).code
    program = Filter.from_bytes(code)
    for arch in (Arch.X86_64, Arch.X86):
        rows = [row for row in ROWS if row.asked.syscall.arch is arch]
        calls = [
            SeccompData(
                arch.audit, row.asked.syscall.number, tuple(arg or 0 for arg in row.asked.args)
            )
            for row in rows
        ]
        message = answers(libseccomp_simulator, program, calls, arch)
        assert message == [row.expected for row in rows]


def test_rows_hold_for_every_open_argument() -> None:
    code = compile_profile(PROFILE, runtime=Runtime.RUNC, native=Arch.X86_64).code
    results = list(run_table(Filter.from_bytes(code), ROWS))
    assert [result for result in results if not result.passed] == []


def test_a_wrong_row_fails() -> None:
    code = compile_profile(PROFILE, runtime=Runtime.RUNC, native=Arch.X86_64).code
    wrong = parse_table("x86_64 getppid() KILL\nx86_64 socket() ALLOW\n", "wrong")
    results: list[RowResult] = list(run_table(Filter.from_bytes(code), wrong))
    assert [result.passed for result in results] == [False, False]
    assert {answer.action for answer in results[1].answers} == {
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_ERRNO(22)",
    }


def test_the_profiles_own_rules_agree() -> None:
    for row in ROWS:
        found = {
            rule.effect
            for _, rule in find_matching_rules(PROFILE, row.asked.syscall, row.asked.args)
        } or {PROFILE.default}
        assert found == {row.expected}, row
