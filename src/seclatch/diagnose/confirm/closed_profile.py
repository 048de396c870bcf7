"""Deny a run that was not asked for what leaves or reaches something past its namespaces.

A profile may allow calls on keyrings, and sockets of the hypervisor: those of the user and of the
host, whatever namespaces a container has (keyrings(7), vsock(7)). The first run did not make them,
or there is no further one; a call that is allowed now may be followed by others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from seclatch.diagnose.confirm.client_command.second_run import CannotRunAgainError
from seclatch.diagnose.denials.matching_rule import ProfileEvaluator, make_evaluator
from seclatch.errors import SeclatchError
from seclatch.model.action import Action
from seclatch.model.syscall import load_syscalls
from seclatch.profile.export import oci
from seclatch.profile.parse.load_profile import parse_profile

# Keys stay in the keyring of the user, which no namespace but the user namespace has for itself.
KEYRING = frozenset(["add_key", "keyctl", "request_key"])
_AF_VSOCK = 40
_EPERM, _EAFNOSUPPORT = 1, 97


def close_profile(
    changed: dict[str, Any] | None, evaluator: ProfileEvaluator
) -> dict[str, Any] | None:
    """Return a profile without those calls; the given one if it denies them.

    `changed`: the profile of `evaluator` with calls allowed; None for the same. Raises
    CannotRunAgainError.
    """
    document = changed or oci.make_document(evaluator.profile)
    if not _list_open(_evaluate(document, evaluator)):
        return changed
    closed = {**document, "syscalls": [*_close_rules(document)]}
    if still := _list_open(_evaluate(closed, evaluator)):
        raise CannotRunAgainError(f"its profile allows {still[0]}, which may reach this host")
    return closed


def _evaluate(document: dict[str, Any], evaluator: ProfileEvaluator) -> ProfileEvaluator:
    try:
        profile = parse_profile(json.dumps(document), "profile")
    except (SeclatchError, ValueError, LookupError) as error:
        raise CannotRunAgainError(f"its profile cannot be changed: {error}") from error
    after = make_evaluator(profile, evaluator.runtime, evaluator.native)
    if after is None:
        raise CannotRunAgainError("its profile cannot be changed")
    return after


def _list_open(evaluator: ProfileEvaluator) -> list[str]:
    table = load_syscalls(evaluator.native)
    tried = [*((name, (0,) * 6) for name in sorted(KEYRING)), ("socket", (_AF_VSOCK, 1, *[0] * 4))]
    calls = [(table.get(name), args) for name, args in tried]
    return [call.name for call, args in calls if call and not evaluator.denies(call, args)]


def _close_rules(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rules: those that allow the calls give way to others."""
    allowing = _executes(document["defaultAction"])
    for rule in document.get("syscalls", []):
        names = rule["names"]
        if not _executes(rule["action"]) or not {*names} & {*KEYRING, "socket"}:
            yield rule
            continue
        if kept := [name for name in names if name not in KEYRING and name != "socket"]:
            yield {**rule, "names": kept}
        if "socket" in names and not allowing:
            yield from _confine_sockets(rule)
    if allowing:
        yield {"names": sorted(KEYRING), "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM}
        vsock = {"index": 0, "value": _AF_VSOCK, "op": "SCMP_CMP_EQ"}
        deny = {"action": "SCMP_ACT_ERRNO", "errnoRet": _EAFNOSUPPORT, "args": [vsock]}
        yield {"names": ["socket"], **deny}


def _confine_sockets(rule: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rule for all sockets but the hypervisor's; one with conditions has its own."""
    other = {"index": 0, "value": _AF_VSOCK, "op": "SCMP_CMP_NE"}
    yield {**rule, "names": ["socket"], "args": rule.get("args") or [other]}


def _executes(action: str) -> bool:
    return Action.from_scmp(action).kind.executes
