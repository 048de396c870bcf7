from __future__ import annotations

import json

from seclatch.model.arch import Arch
from seclatch.model.scan import Scan
from seclatch.model.syscall import load_syscalls
from seclatch.profile.generate.profile_fit import docker_default, fit_profile
from seclatch.profile.parse.load_profile import parse_profile
from tests.unit.recordings import calls, recording
from tests.unit.report.starts import start


def profile(*names: str, **rule: object):  # type: ignore[no-untyped-def]
    document = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": list(names), "action": "SCMP_ACT_ALLOW", **rule}],
    }
    return parse_profile(json.dumps(document), "strict.json")


def test_unused_and_denied_calls() -> None:
    held = fit_profile(start(latched=True), profile("read", "close", "openat"), "strict.json")
    assert held.unused == ["openat"]
    assert held.refused == ["mkdir"]
    assert held.runtime_refused == ["capset", "execve"]
    assert held.profile
    assert (held.profile.open, held.profile.of) == (3, len(load_syscalls(Arch.X86_64).numbers))


def test_calls_allowed_for_some_arguments_are_counted_separately() -> None:
    args = [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]
    held = fit_profile(recording(calls("program", "socket")), profile("socket", args=args), "x")
    assert held.profile
    assert (held.profile.open, held.profile.partly) == (1, 1)
    assert (held.refused, held.refused_for_some) == ([], ["socket"])


def test_a_condition_that_always_holds_is_allowed() -> None:
    """Two comparisons of one argument are alternatives."""
    args = [{"index": 0, "value": value, "op": "SCMP_CMP_NE"} for value in (16, 3)]
    held = fit_profile(
        recording(calls("program", "exit_group")), profile("exit_group", args=args), "x"
    )
    assert held.profile
    assert (held.profile.open, held.profile.partly) == (1, 0)
    assert held.refused == []


def test_the_generated_profile_is_the_program_s() -> None:
    held = fit_profile(start(latched=True))
    assert json.loads(held.generated)["syscalls"][0]["names"] == ["close", "read"]
    assert held.program and held.program.open == 2
    assert held.profile is None
    assert "mkdir" in held.warnings[0]


def test_a_start_without_a_program_has_no_profile() -> None:
    held = fit_profile(start(latched=False, refused=True))
    assert (held.generated, held.program) == ("", None)
    assert "no call of stage program" in held.why_not


def test_docker_s_default_is_far_larger() -> None:
    size = docker_default(Arch.X86_64)
    assert 290 < size.open < 330 < size.of
    assert "Docker" in size.source
    arm = docker_default(Arch.AARCH64)
    assert 230 < arm.open < size.open


def test_the_report_has_what_generate_makes_call_by_call() -> None:
    held = fit_profile(start(latched=True), scan=Scan("app", ()))
    assert held.reasons
    assert {each.call: each.kind for each in held.reasons.allowed}["read"] == "recorded"
    assert "mkdir" in [each.call for each in held.reasons.left_out]
    assert fit_profile(start(latched=False, refused=True)).reasons is None
