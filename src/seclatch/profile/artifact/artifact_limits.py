"""What container runtimes refuse in a profile that comes as an OCI artifact.

KEP-6061 (kubernetes/enhancements#6062, text of 2026-09) has the rules, and the library that
runtimes check with (sigs.k8s.io/security-profiles-merger, `ValidateArtifact`) the numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from seclatch.model.action import ActionKind, Operator
from seclatch.model.profile.profile import Arg, Profile, Rule, list_alternatives
from seclatch.output.printable_text import clip_printable
from seclatch.profile.meaning.clause import Clause

MAX_BYTES = 1 << 20
"""Of the document. The runtime's to configure; the KEP recommends this."""

MAX_ENTRIES = 128
"""Entries of `syscalls` that name one call: merging with a baseline is quadratic in them."""

MAX_CALL_RULES = 256
"""Rules that one call loads: an entry that repeats an argument has one for each comparison."""

MAX_NAMES = 1024
"""Names in one entry."""

MAX_RULES = 16384
"""Rules that the whole profile loads."""

MAX_ERRNO = 4095
"""The kernel's MAX_ERRNO."""

_LISTENER_FLAG = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
_FLAGS = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", _LISTENER_FLAG}
_LOW = 0xFFFFFFFF
_COMPLEMENTS = (
    {Operator.EQ, Operator.NE},
    {Operator.LT, Operator.GE},
    {Operator.LE, Operator.GT},
)


def list_violations(profile: Profile) -> list[str]:
    """Return one sentence for each rule that a resolved profile breaks."""
    clauses = _clauses_of(profile)
    return [
        *_listeners(profile),
        *_shape(profile),
        *_counts(profile, clauses),
        *_conflicts(clauses),
    ]


def _listeners(profile: Profile) -> Iterator[str]:
    """Find what needs a listener: it is the node's, and an artifact cannot bring one."""
    if profile.listener_path:
        yield "listenerPath: a profile from a registry cannot name a listener"
    if profile.listener_metadata:
        yield "listenerMetadata: a profile from a registry cannot name a listener"
    if _LISTENER_FLAG in (profile.flags or ()):
        yield f"flags: {_LISTENER_FLAG} is for a listener"
    rules = [f"rule {index}" for index, rule in enumerate(profile.rules) if _notifies(rule.action)]
    if _notifies(profile.default_action):
        rules.insert(0, "the default action")
    if rules:
        more = f" and {len(rules) - 5} more" if rules[5:] else ""
        yield f"{', '.join(rules[:5])}{more}: SCMP_ACT_NOTIFY needs a listener"


def _notifies(action: str) -> bool:
    return action == ActionKind.NOTIFY.scmp


def _shape(profile: Profile) -> Iterator[str]:
    if len(set(profile.architectures)) < len(profile.architectures):
        yield "architectures: one occurs twice"
    flags = profile.flags or ()
    if len(set(flags)) < len(flags):
        yield "flags: one occurs twice"
    for flag in sorted(set(flags) - _FLAGS):
        yield f"flags: {flag} is not of the runtime specification"
    yield from _errnos(profile)


def _errnos(profile: Profile) -> Iterator[str]:
    effects = [("the default action", profile.default, profile.default_errno)]
    effects += [(f"rule {n}", rule.effect, rule.errno) for n, rule in enumerate(profile.rules)]
    for where, effect, errno in effects:
        if effect.kind.takes_data and effect.data > MAX_ERRNO:
            yield f"{where}: errno {effect.data} is above {MAX_ERRNO}"
        elif errno is not None and not effect.kind.takes_data:
            yield f"{where}: errnoRet with {effect.kind.scmp}, which crun refuses"


def _counts(profile: Profile, clauses: dict[str, list[Clause]]) -> Iterator[str]:
    entries = Counter(name for rule in profile.rules for name in set(rule.names))
    for name, count in sorted(entries.items()):
        if count > MAX_ENTRIES:
            yield f"{_shown(name)}: {count} rules name it, more than {MAX_ENTRIES}"
    for name, some in sorted(clauses.items()):
        if len(some) > MAX_CALL_RULES:
            yield f"{_shown(name)}: {len(some)} comparisons, more than {MAX_CALL_RULES}"
    for index, rule in enumerate(profile.rules):
        if len(rule.names) > MAX_NAMES:
            yield f"rule {index}: {len(rule.names)} names, more than {MAX_NAMES}"
    total = sum(map(len, clauses.values()))
    if total > MAX_RULES:
        yield f"{total} rules when loaded, more than {MAX_RULES}"


def _clauses_of(profile: Profile) -> dict[str, list[Clause]]:
    """Return the clauses that are loaded for each call: runtimes skip rules of the default."""
    found: dict[str, list[Clause]] = {}
    for index, rule in enumerate(profile.rules):
        if rule.effect == profile.default:
            continue
        for args in _alternatives(rule):
            clause = Clause(args, rule.effect, index)
            for name in dict.fromkeys(rule.names):
                found.setdefault(name, []).append(clause)
    return found


def _alternatives(rule: Rule) -> list[tuple[Arg, ...]]:
    """Return a rule's alternatives without comparisons that compare nothing (an empty mask)."""
    return [
        tuple(a for a in args if not (a.operator is Operator.MASKED_EQ and not a.value))
        for args in list_alternatives(rule.args)
    ]


def _conflicts(clauses: dict[str, list[Clause]]) -> Iterator[str]:
    for name, some in sorted(clauses.items()):
        distinct = list(
            {(clause.action, frozenset(clause.args)): clause for clause in some}.values()
        )
        if not _is_exact(distinct):
            rules = ", ".join(str(rule) for rule in dict.fromkeys(c.rule for c in distinct[:5]))
            yield (
                f"{_shown(name)}: rules {rules} give it different actions where libseccomp chooses "
                "which one counts"
            )


def _is_exact(clauses: Sequence[Clause]) -> bool:
    """Return whether at most one action applies to any call, whatever the order.

    The shapes that runtimes take where the actions differ: equalities of one argument with distinct
    values, and a comparison with its complement.
    """
    if len({clause.action for clause in clauses}) < 2:
        return True
    if any(len(clause.args) != 1 for clause in clauses):
        return False
    args = [clause.args[0] for clause in clauses]
    if len({arg.index for arg in args}) > 1:
        return False
    values = [arg.value & _LOW for arg in args]
    if all(arg.operator is Operator.EQ for arg in args):
        return len(set(values)) == len(values)
    return {arg.operator for arg in args} in _COMPLEMENTS and len({a.value for a in args}) == 1


def _shown(name: str) -> str:
    return clip_printable(name, 60)
