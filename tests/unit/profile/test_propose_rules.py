"""Which denied calls are offered, how narrow, and why the others are not."""

from __future__ import annotations

import pytest

from seclatch.model.action import Operator
from seclatch.model.profile.profile import Arg
from seclatch.profile.amend.denial_evidence import DenialEvidence
from seclatch.profile.amend.plan_amendment import add_families, plan_proposals
from seclatch.profile.amend.propose_rules import ProposedCall
from tests.unit.profile.amendments import options, profile, seen

INT = 0xFFFFFFFF


def offer(*denials: DenialEvidence, **more: str) -> list[ProposedCall]:
    return plan_proposals(profile(), denials, options(**more)).offered


def reasons(*denials: DenialEvidence, ignored: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    found = plan_proposals(profile(), denials, options(*ignored))
    assert not found.offered
    return [(row.reason, row.option) for row in found.unamended]


def test_a_plain_call_is_offered_whole_with_its_count() -> None:
    [call] = offer(seen("sync", count=3, exe="/bin/a"), seen("sync", count=2, exe="/bin/b"))
    assert (call.names, call.kind, call.count) == (("sync",), "ordinary", 5)
    assert [rule.args for rule in call.rules] == [()]
    assert call.reason == "denied 5 times to /bin/a, /bin/b (web.log)"


def test_a_call_of_a_family_that_the_profile_uses_is_harmless() -> None:
    [call] = offer(seen("lseek"))
    assert call.kind == "harmless" and "reading files" in call.reason


@pytest.mark.parametrize(
    ("exe", "kind"), [("/usr/bin/python3.13", "harmless"), ("/usr/bin/sort", "ordinary")]
)
def test_what_scripts_may_do_is_said_of_interpreters_alone(exe: str, kind: str) -> None:
    [call] = offer(seen("sysinfo", exe=exe))
    assert call.kind == kind and ("scripts:" in call.reason) is (kind == "harmless")


def test_seen_values_become_one_rule_each() -> None:
    [call] = offer(seen("fcntl", 3, 1030), seen("fcntl", 4, 1), seen("fcntl", 9, 1030))
    assert [rule.args for rule in call.rules] == [
        (Arg(1, Operator.MASKED_EQ, INT, 1),),
        (Arg(1, Operator.MASKED_EQ, INT, 1030),),
    ]
    assert call.kind == "ordinary" and call.count == 3


def test_arguments_that_were_not_recorded_are_said_and_cut_to_the_default() -> None:
    [call] = offer(seen("clone"))
    assert "its arguments were not recorded" in call.reason
    assert "for those arguments only that docker-default" in call.reason
    assert call.rules[0].args, "clone with CLONE_NEWUSER is denied by docker-default"


def test_one_source_without_arguments_makes_the_call_whole() -> None:
    [call] = offer(seen("fcntl", 3, 1030), seen("fcntl"))
    assert [rule.args for rule in call.rules] == [()]


@pytest.mark.parametrize(
    ("denial", "why"),
    [
        (seen("execve"), "runs any program"),
        (seen("socket", 16, 3, 15), "address families that the profile does not have: 16"),
        (seen("socket", 2, 3, 1), "socket(SOCK_RAW)"),
        (seen("socket"), "allows socket("),
        (seen("socketpair"), "which, is not recorded"),
        (seen("mprotect", 0, 4096, 5), "mprotect(PROT_EXEC)"),
        (seen("ioctl", 0, 0x5412), "ioctl(TIOCSTI)"),
    ],
)
def test_a_dangerous_call_needs_a_question(denial: DenialEvidence, why: str) -> None:
    wider = "socket"
    [call] = [each for each in offer_on_trial(denial, wider) if denial.name in each.names]
    assert call.kind == "dangerous" and why in call.danger


def offer_on_trial(denial: DenialEvidence, wider: str) -> list[ProposedCall]:
    """Offer for a profile without a rule for sockets but SOCK_STREAM ones of AF_INET."""
    stream = '"value": 2}, {"index": 1, "op": "SCMP_CMP_EQ", "value": 1}'
    narrow = profile().text.replace('"value": 2}', stream)
    return plan_proposals(profile(narrow), [denial], options(wider=wider)).offered


def test_a_socket_of_a_family_that_the_profile_has_is_ordinary() -> None:
    [call] = offer_on_trial(seen("socket", 2, 2, 17), "")
    assert call.kind == "ordinary"


def test_harmless_mappings_need_no_question() -> None:
    [call] = offer(seen("mprotect", 0, 4096, 1))
    assert call.kind == "ordinary"
    assert call.rules[0].args == (Arg(2, Operator.MASKED_EQ, 4, 0),)


@pytest.mark.parametrize(
    ("denial", "reason", "option"),
    [
        (seen("bpf", 5), "docker-default (Docker version", "--wider bpf"),
        (seen("clone", 0x10000011), "docker-default (Docker version", "--wider clone"),
        (seen("clone3"), "ENOSYS, and programs use clone instead", "--overrule clone3"),
        (seen("ptrace", 16), "a rule of the profile denies it: SCMP_ACT_KILL", "--overrule ptrace"),
        (seen("read", 0), "allows it already: it has changed since", ""),
        (seen("socket", 2, 1), "allows it already: it has changed since", ""),
        (seen("mkdir", runtime=True), "denied to the runtime", ""),
        (seen("mkdir", arch="x86"), "a call of x86, and the profile is for x86_64", ""),
        (seen(""), "a number without a name", ""),
    ],
)
def test_what_is_not_offered_has_a_reason(denial: DenialEvidence, reason: str, option: str) -> None:
    [(why, offered_by)] = reasons(denial)
    assert reason in why and offered_by == option


def test_ignored_calls_are_not_offered() -> None:
    [(why, _)] = reasons(seen("mkdirat"), ignored=("mkdirat",))
    assert why == "ignored: mkdirat is in app.json.ignored"
    [(why, _)] = reasons(seen("fcntl", 3, 1030), ignored=("fcntl(_, 1030)",))
    found = plan_proposals(profile(), [seen("fcntl", 3, 1)], options("fcntl(_, 1030)"))
    assert found.offered
    found = plan_proposals(profile(), [seen("fcntl")], options("fcntl(_, 1030)"))
    assert found.offered, "arguments are not known, so the entry may not be meant"


def test_wider_and_overruled_calls_are_offered() -> None:
    [call] = offer(seen("bpf", 5), wider="bpf")
    assert call.kind == "dangerous" and "wider than docker-default" in call.reason
    [call] = offer(seen("statx"), overrule="statx")
    assert call.names == ("statx",)


def test_families_follow_what_was_accepted() -> None:
    accepted = offer(seen("accept4"))
    families = add_families(profile(), accepted, options("setsockopt"))
    [sockets] = [each for each in families if "shutdown" in each.names]
    assert sockets.kind == "harmless" and "it makes accept4" in sockets.reason
    assert not any("setsockopt" in each.names for each in families)
    assert add_families(profile(), [], options()) == []
