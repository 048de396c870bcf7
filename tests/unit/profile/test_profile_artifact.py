"""Profiles as artifacts: what runtimes refuse, and the same meaning in fewer rules."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from seclatch.errors import SeclatchError
from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.profile.artifact.artifact_limits import list_violations
from seclatch.profile.artifact.profile_artifact import read_artifact, write_artifact
from seclatch.profile.artifact.regroup_rules import regroup_rules
from seclatch.profile.meaning.diff_profiles import compare_profiles
from tests.unit.profile.profiles import resolved_profiles

ALLOW, ERRNO, LOG = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG"


def rule(name: str, *args: Arg, action: str = ALLOW, errno: int | None = None) -> Rule:
    return Rule((name,), action, errno, args)


def equal(value: int, index: int = 0) -> Arg:
    return Arg(index, Operator.EQ, value)


def profile(*rules: Rule, **more: object) -> Profile:
    return Profile(ERRNO, rules, architectures=(Arch.X86_64,), **more)


@given(resolved_profiles())
def test_regrouped_rules_mean_the_same(given_profile: Profile) -> None:
    for native in (Arch.X86_64, Arch.ARM):
        regrouped = regroup_rules(given_profile, native)
        found = compare_profiles(given_profile, regrouped, native)
        assert all(change.effect.name == "UNDECIDED" for change in found.changes)
        assert not found.opened and not found.closed
        assert regroup_rules(regrouped, native) == regrouped


def test_a_call_whose_rules_differ_by_width_keeps_them() -> None:
    """Libseccomp drops a mask of the upper half of 32-bit arguments: TRAP comes first then."""
    upper = Arg(0, Operator.MASKED_EQ, 1 << 32, 0)
    rules = (
        rule("read", upper, action="SCMP_ACT_TRAP"),
        rule("read", action="SCMP_ACT_KILL_THREAD"),
        rule("lseek"),
    )
    for native in (Arch.X86_64, Arch.ARM):
        given_profile = Profile(ERRNO, rules)
        regrouped = regroup_rules(given_profile, native)
        assert not compare_profiles(given_profile, regrouped, native)
        assert regroup_rules(regrouped, native) == regrouped


def test_the_order_of_overlapping_conditions_is_kept() -> None:
    first = rule("read", Arg(1, Operator.LT, 1), action="SCMP_ACT_TRAP")
    second = rule("read", Arg(1, Operator.LE, 1), Arg(2, Operator.NE, 0), action=LOG)
    given_profile = Profile(ERRNO, (first, second))
    assert regroup_rules(given_profile, Arch.X86_64).rules == (first, second)


@given(resolved_profiles())
def test_what_is_written_is_accepted_when_read(given_profile: Profile) -> None:
    try:
        layer = write_artifact(given_profile, Arch.X86_64, "x").layer
    except SeclatchError:
        return
    again = read_artifact(layer, "x")
    assert not list_violations(again)
    assert not compare_profiles(given_profile, again, Arch.X86_64)


def test_a_profile_that_nothing_refuses_is_written_as_it_is() -> None:
    made = write_artifact(profile(rule("read"), rule("ioctl", equal(1))), Arch.X86_64, "x")
    assert made.regrouped is None
    assert json.loads(made.layer)["syscalls"][1]["args"] == [
        {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}
    ]


def test_more_than_128_rules_for_a_call_are_written_in_fewer() -> None:
    many = profile(*(rule("ioctl", equal(value, 1)) for value in range(200)))
    assert list_violations(many) == ["ioctl: 200 rules name it, more than 128"]
    made = write_artifact(many, Arch.X86_64, "x")
    assert made.regrouped == (200, 1)
    assert not compare_profiles(many, read_artifact(made.layer, "x"), Arch.X86_64)


def test_rules_that_an_unconditional_one_hides_are_dropped() -> None:
    hidden = profile(rule("read", equal(1), action=LOG), rule("read"))
    assert list_violations(hidden)
    assert json.loads(write_artifact(hidden, Arch.X86_64, "x").layer)["syscalls"] == [
        {"names": ["read"], "action": ALLOW}
    ]


def test_an_errno_without_a_use_is_dropped() -> None:
    made = write_artifact(profile(rule("read", errno=1)), Arch.X86_64, "x")
    assert "errnoRet" not in made.layer.decode().replace("defaultErrnoRet", "")


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (profile(listener_path="/run/a.sock"), "listenerPath"),
        (profile(listener_metadata="x"), "listenerMetadata"),
        (profile(flags=("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",)), "is for a listener"),
        (profile(flags=("SECCOMP_FILTER_FLAG_TSYNC",)), "not of the runtime specification"),
        (profile(rule("read", action="SCMP_ACT_NOTIFY")), "rule 0: SCMP_ACT_NOTIFY"),
        (Profile("SCMP_ACT_NOTIFY"), "the default action: SCMP_ACT_NOTIFY"),
        (profile(rule("read", action=ERRNO, errno=4096)), "errno 4096"),
        (profile(*(rule("ioctl", equal(n)) for n in range(300))), "300 comparisons"),
        (
            profile(*(rule("ioctl", equal(n), equal(n, 1)) for n in range(130))),
            "130 rules name it",
        ),
        (
            profile(rule("ioctl", equal(1)), rule("ioctl", equal(1), equal(2, 1), action=LOG)),
            "libseccomp chooses",
        ),
    ],
)
def test_what_no_rules_can_change(refused: Profile, said: str) -> None:
    with pytest.raises(SeclatchError, match="KEP-6061") as caught:
        write_artifact(refused, Arch.X86_64, "x")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "rules",
    [
        [rule("ioctl", equal(1)), rule("ioctl", equal(2), action=LOG)],
        [
            rule("ioctl", Arg(0, Operator.LT, 5)),
            rule("ioctl", Arg(0, Operator.GE, 5), action=LOG),
        ],
    ],
)
def test_actions_that_exclude_each_other_are_accepted(rules: list[Rule]) -> None:
    assert list_violations(profile(*rules)) == []


def test_a_document_above_one_mebibyte_is_refused() -> None:
    names = [f"call_{number:06}" + "x" * 1100 for number in range(1020)]
    with pytest.raises(SeclatchError, match="more than 1048576"):
        write_artifact(profile(Rule(tuple(names), ALLOW)), Arch.X86_64, "x")


def test_a_regrouping_that_means_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = profile(rule("ioctl"))
    monkeypatch.setattr(
        "seclatch.profile.artifact.profile_artifact.regroup_rules", lambda *_: wrong
    )
    many = profile(*(rule("ioctl", equal(value, 1)) for value in range(200)))
    with pytest.raises(SeclatchError, match="equality with the original could not be proved"):
        write_artifact(many, Arch.X86_64, "x")
