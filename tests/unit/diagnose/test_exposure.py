"""A remedy describes the same exposure as `seclatch profile check`."""

from __future__ import annotations

from dataclasses import replace
from errno import EPERM

import msgspec
import pytest

from seclatch.diagnose.remedies.exposure import describe_exposure
from seclatch.diagnose.remedies.find_remedies import find_remedies
from seclatch.model.constant import CONSTANTS
from seclatch.model.explanation import DenyingRule, Remedy
from seclatch.profile.checks import dangerous, namespaces
from tests.unit.diagnose.runs import Run, make_fixer

NEWUSER, NEWNS, SIGCHLD = CONSTANTS["CLONE_NEWUSER"], CONSTANTS["CLONE_NEWNS"], 17


def remedies(call: str, *args: int) -> list[Remedy]:
    """Return the remedies for a program that ended over a call that a rule denied."""
    run = Run("x")
    program = run.exec(run.root, "x")
    run.is_refused(program, call, EPERM, *args)
    run.calls(program, "exit_group")
    run.ends(program, 1)
    found = run.cause()
    assert found.cause == "program-denied" and found.case
    denial = msgspec.structs.replace(found.case.denial, rule=DenyingRule(by="rule", text="rule 0"))
    case = replace(found.case, denial=denial)
    return find_remedies(replace(found, case=case), None, ["x"], make_fixer(["x"], case))


def rule(call: str, *args: int) -> Remedy:
    """Return the remedy that allows the call."""
    return next(remedy for remedy in remedies(call, *args) if remedy.kind == "rules")


@pytest.mark.parametrize("call", [*dangerous.CALLS, *namespaces.CALLS])
def test_calls_that_check_warns_of_have_an_exposure(call: str) -> None:
    assert "not known for dangers" not in describe_exposure(call)


@pytest.mark.parametrize(
    ("call", "args", "words"),
    [
        ("unshare", (NEWUSER,), ("user namespaces", "asked for CLONE_NEWUSER")),
        ("unshare", (0x200,), ("user namespaces",)),
        ("clone", (NEWUSER | NEWNS | SIGCHLD,), ("asked for CLONE_NEWNS|CLONE_NEWUSER",)),
        ("setns", (3, NEWNS), ("enters namespaces", "asked for CLONE_NEWNS")),
    ],
)
def test_namespaces_are_named(call: str, args: tuple[int, ...], words: tuple[str, ...]) -> None:
    text = rule(call, *args).text
    assert all(each in text for each in words), text
    assert ("asked for" in text) == any("asked for" in each for each in words)


def test_a_fork_needs_no_namespaces() -> None:
    [given] = rule("clone", SIGCHLD).rules
    [condition] = given["args"]
    assert (condition["op"], condition["value"], condition["valueTwo"]) == (
        "SCMP_CMP_MASKED_EQ",
        namespaces.NAMESPACES,
        0,
    )


def test_clone3_flags_are_not_readable() -> None:
    assert "ENOSYS" in remedies("clone3")[0].text
    assert namespaces.CALLS["clone3"] in rule("clone3").text
