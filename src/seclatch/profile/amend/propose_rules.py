"""Decide for each denied call which rules would allow it, and which calls are not offered.

As narrow as it was seen, and within the engine's default profile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from seclatch.model.action import ENOSYS, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.profile.amendment import AmendedCall, Kind, UnamendedCall
from seclatch.model.profile.profile import Profile, Rule, format_comparisons
from seclatch.profile.amend.danger import find_danger
from seclatch.profile.amend.denial_evidence import DenialEvidence, find_selector
from seclatch.profile.amend.ignored_denials import IgnoredDenials
from seclatch.profile.curated.call_data import load_always, load_fallbacks, load_families
from seclatch.profile.generate.arguments.narrow_arguments import narrow_rules
from seclatch.profile.generate.limits.limit_profile import limit_profile
from seclatch.profile.generate.limits.recorded_limit import RecordedLimit
from seclatch.profile.meaning.known_arguments import know_arguments
from seclatch.profile.meaning.rule_meaning import ProfileMeaning, read_meaning

ALLOW = "SCMP_ACT_ALLOW"
_MAX_NAMES = 3
_ALLOWED = "the profile allows it already: it has changed since"


@dataclass(frozen=True, slots=True)
class ProposalOptions:
    """What a user decides beforehand.

    `limit` is the engine's default. `wider`: calls to offer though it denies them. `overrule`:
    calls to offer though a rule of the profile denies them. `ignored`: denials that are right.
    """

    limit: RecordedLimit
    ignored: IgnoredDenials
    wider: frozenset[str] = frozenset()
    overrule: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ProposedCall:
    """Rules that allow denied calls. `danger` is "" for calls that need no question."""

    names: tuple[str, ...]
    rules: tuple[Rule, ...]
    kind: Kind
    count: int
    reason: str
    danger: str = ""
    denials: tuple[DenialEvidence, ...] = ()

    def document(self, *, accepted: bool) -> AmendedCall:
        """Return the proposal for machines."""
        return AmendedCall(
            calls=list(self.names),
            kind=self.kind,
            count=self.count,
            comparisons=[format_comparisons(rule.args) for rule in self.rules if rule.args],
            reason=self.reason,
            danger=self.danger,
            accepted=accepted,
        )


@dataclass(slots=True)
class Proposals:
    """What is offered, and what is not."""

    offered: list[ProposedCall] = field(default_factory=list)
    unamended: list[UnamendedCall] = field(default_factory=list)


def propose_rules(
    profile: Profile, native: Arch, denials: Iterable[DenialEvidence], options: ProposalOptions
) -> Proposals:
    """Propose for a resolved profile as it is enforced."""
    proposer = _Proposer(profile, native, options)
    groups: dict[str, list[DenialEvidence]] = {}
    for denial in denials:
        groups.setdefault(denial.name or f"#{denial.number}", []).append(denial)
    for name, group in sorted(groups.items()):
        proposer.take(name, group)
    return proposer.found


class _Proposer:
    def __init__(self, profile: Profile, native: Arch, options: ProposalOptions) -> None:
        self._profile, self._native, self._options = profile, native, options
        self._meaning = read_meaning(profile, native)
        self._left: dict[tuple[str, str], UnamendedCall] = {}
        self.found = Proposals()

    def take(self, name: str, group: list[DenialEvidence]) -> None:
        """Offer a call, or note why not."""
        left = [each for each in group if not self._explain_unoffered(name, each)]
        if left:
            self._offer(name, left)

    def _leave(self, name: str, count: int, reason: str, option: str = "") -> None:
        key = (name, reason)
        count += self._left[key].count if key in self._left else 0
        self._left[key] = UnamendedCall(call=name, count=count, reason=reason, option=option)
        self.found.unamended[:] = self._left.values()

    def _explain_unoffered(self, name: str, denial: DenialEvidence) -> bool:
        """Note a denial that is not offered, whatever the other ones of its call are."""
        reason, option = self._find_reason(denial)
        if reason:
            self._leave(name, denial.count, reason, option)
        return bool(reason)

    def _find_reason(self, denial: DenialEvidence) -> tuple[str, str]:
        if not denial.name:
            return "a number without a name cannot be in a profile", ""
        if denial.runtime:
            return "denied to the runtime before the exec of the program: use the latch", ""
        if denial.arch not in {arch.title for arch in self._meaning.arches}:
            arches = ", ".join(arch.title for arch in self._meaning.arches)
            return f"a call of {denial.arch}, and the profile is for {arches}", ""
        if entry := self._options.ignored.match(denial):
            path = PurePath(self._options.ignored.path).name
            return f"ignored: {entry.text} is in {path}", ""
        if self._is_allowed(denial):
            return _ALLOWED, ""
        return self._find_denying_rule(denial)

    def _is_allowed(self, denial: DenialEvidence) -> bool:
        if denial.args is None or denial.partial:
            return self._find_meaning(denial).always_executes(denial.name)
        return self._meaning.verdict(denial.name, denial.args).kind.executes

    def _find_meaning(self, denial: DenialEvidence) -> ProfileMeaning:
        """Return the profile's meaning for the argument that is known, if one is."""
        if denial.selector is None:
            return self._meaning
        known = {find_selector(denial.name) or 0: denial.selector}
        return know_arguments(self._meaning, denial.name, known)

    def _find_denying_rule(self, denial: DenialEvidence) -> tuple[str, str]:
        """Return why a call is left that a rule denies: on purpose, or since programs fall back."""
        name = denial.name
        meaning = self._find_meaning(denial) if denial.partial else self._meaning
        clauses = meaning.clauses(name)
        if denial.args is not None and not denial.partial:
            clauses = [clause for clause in clauses if clause.matches(denial.args)][:1]
        rules = [clause for clause in clauses if not clause.action.kind.executes]
        if not rules or name in self._options.overrule:
            return "", ""
        action = rules[0].action
        option = f"--overrule {name}"
        if (action.kind, action.data) == (ActionKind.ERRNO, ENOSYS):
            known = load_fallbacks().get(name)
            instead = (
                f"programs use {known.fallback} instead" if known else "programs do without it"
            )
            return f"a rule answers ENOSYS, and {instead}", option
        return f"a rule of the profile denies it: {action}", option

    def _offer(self, name: str, group: list[DenialEvidence]) -> None:
        count = sum(each.count for each in group)
        rules = _narrow(name, group)
        limit = self._options.limit
        limited = limit_profile(
            replace(self._profile, rules=rules, default_action="SCMP_ACT_ERRNO"),
            limit.profile,
            self._native,
            self._options.wider,
        )
        kept = tuple(each for each in limited.profile.rules if name in each.names)
        if not kept:
            self._leave(name, count, f"{limit.source} denies it", f"--wider {name}")
            return
        rules = tuple(replace(each, comment="") for each in kept)
        kind, why = self._classify(name, rules, group)
        reason = _describe_sources(group)
        if not all(each.args for each in group) and find_selector(name) is not None:
            reason += "; its arguments were not recorded"
        if limited.narrowed:
            reason += f"; for those arguments only that {limit.source} allows"
        elif name in self._options.wider and limited.wider:
            reason += f"; wider than {limit.source}"
        danger = why if kind == "dangerous" else ""
        if kind == "harmless":
            reason += f"; {why}"
        self.found.offered.append(
            ProposedCall((name,), rules, kind, count, reason, danger, tuple(group))
        )

    def _classify(
        self, name: str, rules: Sequence[Rule], group: Sequence[DenialEvidence]
    ) -> tuple[Kind, str]:
        if danger := find_danger(name, rules, group, self._has_family):
            return "dangerous", danger
        for call in load_always():
            if call.call == name:
                return "harmless", call.reason
        programs = {PurePath(each.exe).name for each in group}
        for family in load_families():
            used = any(map(self._meaning.may_execute, family.uses))
            if name in family.adds and (used or family.find_programs(programs)):
                return "harmless", f"{family.family}: {family.reason}"
        return "ordinary", ""

    def _has_family(self, name: str, value: int) -> bool:
        """Whether the profile allows sockets of an address family."""
        return know_arguments(self._meaning, name, {0: value}).may_execute(name)


def _narrow(name: str, group: Sequence[DenialEvidence]) -> tuple[Rule, ...]:
    """One rule a seen value where all are known, else one for the whole call."""
    index = find_selector(name)
    seen = {each.selector for each in group}
    if index is not None and None not in seen:
        values = {value for value in seen if value is not None}
        if rules := narrow_rules([name], {(name, index): values}):
            return tuple(rules)
    return (Rule((name,), ALLOW),)


def _describe_sources(group: Sequence[DenialEvidence]) -> str:
    """`denied 12 times to /usr/sbin/nginx (web.watch.json)`."""
    count = sum(each.count for each in group)
    verb = "logged" if all(each.logged for each in group) else "denied"
    programs = sorted({each.exe for each in group} - {""})
    sources = sorted({PurePath(each.source).name for each in group})
    by = f" to {_shorten(programs)}" if programs else ""
    session = ", in exec sessions alone" if all(each.session for each in group) else ""
    times = "once" if count == 1 else f"{count} times"
    return f"{verb} {times}{by}{session} ({_shorten(sources)})"


def _shorten(names: Sequence[str]) -> str:
    shown = ", ".join(name[:80] for name in names[:_MAX_NAMES])
    return shown + (f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else "")
