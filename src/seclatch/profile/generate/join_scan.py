"""A recording and a scan joined: what was seen, what could be, and what of it is allowed."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.scan import Scan
from seclatch.profile.curated.call_data import load_dangerous

_ALLOW = "SCMP_ACT_ALLOW"

_EXECUTE = ("execve", "execveat")


class JoinPolicy(enum.Enum):
    """Which calls that were only found by the scan are allowed."""

    RECORDED = "recorded"
    PLAUSIBLE = "recorded+plausible"
    STATIC = "static"


class JoinVerdict(enum.Enum):
    """What becomes of a call."""

    RECORDED = "recorded"
    PLAUSIBLE = "allowed: the program can make it"
    DANGEROUS = "left out: never seen, and dangerous"
    UNSEEN = "left out: never seen"
    BOOT = "left out: seen only before the program was ready"
    START = "left out: not to be reached from the program's main loop"
    NARROWED = "as a rule of the profile says"
    ELSEWHERE = "recorded, and not in the scan: made by a program that was not scanned"


@dataclass(frozen=True, slots=True)
class JoinedCall:
    """One call, what becomes of it, and the chain of functions by which the scan found it."""

    name: str
    verdict: JoinVerdict
    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JoinedProfile:
    """The profile with what the scan adds, every call's row, and what its user should know."""

    profile: Profile
    rows: tuple[JoinedCall, ...]
    warnings: tuple[str, ...]


def join_scan(
    profile: Profile,
    recorded: Iterable[str],
    scan: Scan,
    policy: JoinPolicy,
    boot_only: frozenset[str] | None = None,
) -> JoinedProfile:
    """Add to a profile made from recordings what a scan of the same program found.

    `recorded` are the names of the calls that the recordings have. A call that the profile names
    already, with conditions or refused, stays as it is. `boot_only`, for the running phase: calls
    that the recordings have only from before it; what the scan finds for the start alone is left
    out, too.
    """
    seen, static = set(recorded), set(scan.names)
    named = {name for rule in profile.rules for name in rule.names}
    start = _find_start_calls(seen | named, scan, boot_only)
    rows = [
        JoinedCall(
            name, start.get(name) or _verdict(name, seen, static, named, policy), scan.chain(name)
        )
        for name in sorted(seen | static)
    ]
    added = tuple(row.name for row in rows if row.verdict is JoinVerdict.PLAUSIBLE)
    rules = list(profile.rules)
    if added:
        comment = f"found in the binaries of {scan.source[:200]}, not seen while recording"
        rules.append(Rule(added, _ALLOW, comment=comment))
    return JoinedProfile(
        replace(profile, rules=tuple(rules)), tuple(rows), tuple(_warnings(rows, scan, policy))
    )


def _find_start_calls(
    kept: set[str], scan: Scan, boot_only: frozenset[str] | None
) -> dict[str, JoinVerdict]:
    """Return the calls of the start alone, of those that nothing else asks for."""
    if boot_only is None:
        return {}
    found = dict.fromkeys(scan.start_calls, JoinVerdict.START)
    found |= dict.fromkeys(boot_only, JoinVerdict.BOOT)
    return {name: verdict for name, verdict in found.items() if name not in kept}


def _verdict(
    name: str, seen: set[str], static: set[str], named: set[str], policy: JoinPolicy
) -> JoinVerdict:
    if name in seen:
        return JoinVerdict.RECORDED if name in static else JoinVerdict.ELSEWHERE
    if name in named:
        return JoinVerdict.NARROWED
    if policy is JoinPolicy.RECORDED:
        return JoinVerdict.UNSEEN
    if policy is JoinPolicy.PLAUSIBLE and name in load_dangerous():
        return JoinVerdict.DANGEROUS
    return JoinVerdict.PLAUSIBLE


def _warnings(rows: list[JoinedCall], scan: Scan, policy: JoinPolicy) -> Iterator[str]:
    def names(verdict: JoinVerdict) -> list[str]:
        return [row.name for row in rows if row.verdict is verdict]

    if added := names(JoinVerdict.PLAUSIBLE):
        yield f"{len(added)} calls of the scan were never recorded, and allowed ({policy.value})"
    if start := names(JoinVerdict.START):
        yield (
            f"{len(start)} calls of the scan are not to be reached from the program's main loop, "
            f"and are left out: {', '.join(start)}"
        )
    left = names(JoinVerdict.DANGEROUS)
    yield from _about_execve(left, scan)
    if others := [name for name in left if name not in _EXECUTE]:
        yield (
            "the program can make these, which were never recorded and are dangerous, and are "
            f"left out: {', '.join(others)}; --allow CALL allows one"
        )
    if other := names(JoinVerdict.ELSEWHERE):
        yield (
            f"recorded, but not by a program that was scanned: {', '.join(other)}; "
            "scan the others too (--entrypoint)"
        )
    if not scan.whole:
        yield "the scan is open: calls that could not be told are allowed only if recorded"


def _about_execve(left: list[str], scan: Scan) -> Iterator[str]:
    """Name the programs that could execute others, where no recording shows that they do."""
    for call in _EXECUTE if "execve" in left else ():
        paths = [each.path for each in scan.programs if any(c.name == call for c in each.calls)]
        if paths and call in left:
            yield (
                f"{', '.join(paths[:3])} can execute other programs by {call}, and no recording "
                f"does: left out; --allow {call} allows it, or record what executes them"
            )
