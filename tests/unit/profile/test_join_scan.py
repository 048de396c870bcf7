from __future__ import annotations

from typing import Any

import pytest

from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.scan import CallChain, Scan, ScannedProgram, UnresolvedCall
from seclatch.profile.generate.join_scan import JoinPolicy, JoinVerdict, join_scan

PROFILE = Profile(
    "SCMP_ACT_ERRNO",
    (Rule(("read", "uname"), "SCMP_ACT_ALLOW"), Rule(("clone3",), "SCMP_ACT_ERRNO", 38)),
)


def scan(*names: str, **more: Any) -> Scan:
    calls = tuple(
        CallChain(name, i, ("entry", f"libc.so.6:{name}")) for i, name in enumerate(names)
    )
    return Scan("image", (ScannedProgram("/bin/p", "x86_64", "", ("/bin/p",), calls, **more),))


def allowed(profile: Profile) -> set[str]:
    return {n for r in profile.rules for n in r.names if r.action == "SCMP_ACT_ALLOW"}


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        (JoinPolicy.RECORDED, {"read", "uname"}),
        (JoinPolicy.PLAUSIBLE, {"read", "uname", "write"}),
        (JoinPolicy.STATIC, {"read", "uname", "write", "ptrace"}),
    ],
)
def test_policies_differ_in_unrecorded_calls(policy: JoinPolicy, names: set[str]) -> None:
    joined = join_scan(
        PROFILE, {"read", "uname"}, scan("read", "write", "ptrace", "clone3"), policy
    )
    assert allowed(joined.profile) == names


def test_each_call_is_accounted_for_with_its_chain() -> None:
    rows = join_scan(
        PROFILE, {"read", "uname"}, scan("read", "write", "ptrace", "clone3"), JoinPolicy.PLAUSIBLE
    ).rows
    assert {row.name: row.verdict for row in rows} == {
        "read": JoinVerdict.RECORDED,
        "uname": JoinVerdict.ELSEWHERE,
        "write": JoinVerdict.PLAUSIBLE,
        "ptrace": JoinVerdict.DANGEROUS,
        "clone3": JoinVerdict.NARROWED,
    }
    assert {row.name: row.chain for row in rows}["write"] == ("entry", "libc.so.6:write")


def test_a_denied_call_stays_denied() -> None:
    joined = join_scan(PROFILE, (), scan("clone3"), JoinPolicy.STATIC)
    assert joined.profile == PROFILE


def test_an_open_scan_is_always_reported() -> None:
    place = UnresolvedCall("/bin/p", "p:f", 4096, "its number is not a constant")
    joined = join_scan(PROFILE, ("read",), scan("read", open=(place,)), JoinPolicy.STATIC)
    assert any("open" in each for each in joined.warnings)


def test_calls_that_check_warns_of_are_not_added_silently() -> None:
    static = scan("read", "unshare", "setns", "mount", "bpf")
    joined = join_scan(PROFILE, ("read",), static, JoinPolicy.PLAUSIBLE)
    assert allowed(joined.profile) == {"read", "uname"}
