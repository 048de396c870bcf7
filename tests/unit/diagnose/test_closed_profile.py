"""What the profile of a run that was not asked for denies, whatever the first one's did."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seclatch.diagnose.confirm.closed_profile import KEYRING, close_profile
from seclatch.diagnose.denials.matching_rule import ProfileEvaluator, make_evaluator
from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.profile.parse.load_profile import parse_profile

INET, VSOCK = 2, 40
ALLOW, DENY = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"


def evaluate(document: dict[str, Any], runtime: str = "runc") -> ProfileEvaluator:
    found = make_evaluator(parse_profile(json.dumps(document), "p"), runtime, Arch.native())
    assert found
    return found


def list_denied(document: dict[str, Any], runtime: str) -> set[str]:
    """Return which of the calls a profile denies."""
    evaluator, table = evaluate(document, runtime), load_syscalls(Arch.native())
    tried = {name: (name, 0) for name in ("read", "mkdirat", *KEYRING)}
    tried |= {"inet": ("socket", INET), "vsock": ("socket", VSOCK)}
    calls = {key: (table.get(name), first) for key, (name, first) in tried.items()}
    return {
        key
        for key, (call, first) in calls.items()
        if call and evaluator.denies(call, (first, 1, 0, 0, 0, 0))
    }


def rule(action: str, *names: str) -> dict[str, Any]:
    return {"names": list(names), "action": action}


OPEN = {"defaultAction": ALLOW, "syscalls": [rule(DENY, "mkdirat"), rule(ALLOW, "keyctl", "read")]}
LISTED = {"defaultAction": DENY, "syscalls": [rule(ALLOW, "read", "socket", "keyctl"),
                                              rule(ALLOW, "add_key")]}  # fmt: skip
NOT_VSOCK = {"index": 0, "value": VSOCK, "op": "SCMP_CMP_NE"}
CLOSED = {
    "defaultAction": DENY,
    "syscalls": [rule(ALLOW, "read"), {**rule(ALLOW, "socket"), "args": [NOT_VSOCK]}],
}


@pytest.mark.parametrize("runtime", ["runc", "crun"])
@pytest.mark.parametrize("profile", [OPEN, {"defaultAction": ALLOW}, LISTED])
def test_only_what_reaches_further_is_denied(profile: dict[str, Any], runtime: str) -> None:
    before = list_denied(profile, runtime)
    closed = close_profile(None, evaluate(profile, runtime))
    assert closed is not None
    assert list_denied(closed, runtime) == before | {*KEYRING, "vsock"}
    # The same for one in which a call has been allowed.
    more = {**profile, "syscalls": [each for each in profile.get("syscalls", [])
                                    if each["action"] == ALLOW]}  # fmt: skip
    changed = close_profile(more, evaluate(profile, runtime))
    assert changed is not None
    assert list_denied(changed, runtime) == list_denied(more, runtime) | {*KEYRING, "vsock"}


def test_a_profile_that_denies_it_stays() -> None:
    assert close_profile(None, evaluate(CLOSED)) is None
    assert close_profile(CLOSED, evaluate(CLOSED)) is CLOSED
