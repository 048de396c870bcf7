"""A profile limited by another: never wider, by meaning and arguments."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.profile.generate.limits.limit_profile import limit_profile
from seclatch.profile.meaning import rule_meaning

ALLOW, DENY = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
NATIVE = Arch.X86_64
NAMES = ("clone", "personality", "read", "socket")

args = st.builds(
    Arg,
    index=st.integers(0, 1),
    operator=st.sampled_from([Operator.EQ, Operator.NE, Operator.MASKED_EQ, Operator.LE]),
    value=st.sampled_from([0, 1, 2, 3, 8, 40, 0x7E020000]),
    value_two=st.sampled_from([0, 1, 2]),
)
rules = st.builds(
    Rule,
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(tuple),
    action=st.just(ALLOW),
    args=st.lists(args, max_size=2, unique_by=lambda arg: arg.index).map(tuple),
)
profiles = st.builds(
    Profile,
    default_action=st.just(DENY),
    rules=st.lists(rules, max_size=4).map(tuple),
    architectures=st.just((NATIVE,)),
)


@settings(max_examples=150, deadline=None)
@given(profiles, profiles, st.tuples(*[st.sampled_from([0, 1, 2, 3, 9, 40])] * 2))
def test_it_allows_what_both_allow_and_nothing_else(
    profile: Profile, limit: Profile, values: tuple[int, int]
) -> None:
    limited = limit_profile(profile, limit, NATIVE)
    ours, theirs, both = (
        rule_meaning.read_meaning(each, NATIVE) for each in (profile, limit, limited.profile)
    )
    for name in NAMES:
        call = (*values, 0, 0, 0, 0)
        verdicts = [each.verdict(name, call).kind.executes for each in (ours, theirs, both)]
        both_allow = verdicts[0] and verdicts[1]
        # conditions that no rules can combine: the call is left out as a whole, and named
        assert verdicts[2] == (both_allow and name not in limited.removed), (name, verdicts)


def made(limit: Profile, *names: str, wider: tuple[str, ...] = ()) -> tuple[set[str], list[str]]:
    profile = Profile(DENY, (Rule(names, ALLOW, comment="why"),), (NATIVE,))
    result = limit_profile(profile, limit, NATIVE, wider)
    meaning = rule_meaning.read_meaning(result.profile, NATIVE)
    return {name for name in names if meaning.may_execute(name)}, result.removed


def test_calls_denied_by_the_limit_are_removed_and_named() -> None:
    limit = Profile(DENY, (Rule(("read",), ALLOW),), (NATIVE,))
    assert made(limit, "read", "bpf") == ({"read"}, ["bpf"])


def test_wider_allows_one_call_against_the_limit() -> None:
    limit = Profile(DENY, (Rule(("read",), ALLOW),), (NATIVE,))
    assert made(limit, "read", "bpf", "mount", wider=("bpf",)) == ({"read", "bpf"}, ["mount"])


def test_comments_stay_and_namespace_flags_are_removed() -> None:
    flags = Arg(0, Operator.MASKED_EQ, 0x7E020000, 0)
    limit = Profile(DENY, (Rule(("clone",), ALLOW, args=(flags,)),), (NATIVE,))
    profile = Profile(DENY, (Rule(("clone",), ALLOW, comment="why"),), (NATIVE,))
    [rule] = limit_profile(profile, limit, NATIVE).profile.rules
    assert rule.args == (flags,) and rule.comment.startswith("why")


def test_architectures_without_rules_in_the_limit_are_removed() -> None:
    profile = Profile(DENY, (Rule(("read",), ALLOW),), (NATIVE, Arch.X86))
    limit = Profile(DENY, (Rule(("read",), ALLOW),), (NATIVE,))
    result = limit_profile(profile, limit, NATIVE)
    assert result.profile.architectures == (NATIVE,) and result.arches == [Arch.X86]
