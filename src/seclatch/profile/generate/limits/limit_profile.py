"""Keep a generated profile within another one: what the container had when it was recorded.

Call by call, by meaning and arguments, so that rules which the limit allows as they are keep their
comments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile, Rule
from seclatch.profile.meaning import rule_meaning
from seclatch.profile.meaning.merge_profiles import intersect_profiles


@dataclass(slots=True)
class LimitedProfile:
    """A profile cut to a limit.

    `removed` calls are denied by the limit, `narrowed` ones allowed for some arguments, and `wider`
    ones allowed against it. `arches` lost are those that the limit has no rules for.
    """

    profile: Profile
    removed: list[str] = field(default_factory=list)
    narrowed: list[str] = field(default_factory=list)
    wider: list[str] = field(default_factory=list)
    arches: list[Arch] = field(default_factory=list)


def limit_profile(
    profile: Profile, limit: Profile, native: Arch, wider: Iterable[str] = ()
) -> LimitedProfile:
    """Intersect a resolved profile with a resolved limit, except for the calls of `wider`."""
    return _Limiter(profile, limit, native, frozenset(wider)).run()


class _Limiter:
    def __init__(
        self, profile: Profile, limit: Profile, native: Arch, wider: frozenset[str]
    ) -> None:
        self._profile, self._limit, self._native, self._wider = profile, limit, native, wider
        self._meaning = rule_meaning.read_meaning(limit, native)
        self._result = LimitedProfile(profile)
        self._cut: dict[str, tuple[Rule, ...]] = {}

    def run(self) -> LimitedProfile:
        """Go through the rules once; a call with conditions in the limit is decided once."""
        rules = tuple(rule for given in self._profile.rules for rule in self._limited(given))
        arches = self._arches()
        self._result.profile = replace(self._profile, rules=rules, architectures=arches)
        for names in (self._result.removed, self._result.narrowed, self._result.wider):
            names[:] = sorted(set(names))
        return self._result

    def _limited(self, rule: Rule) -> Iterator[Rule]:
        if not rule.effect.kind.executes:
            yield rule
            return
        kept = []
        for name in rule.names:
            if self._meaning.always_executes(name):
                kept.append(name)
            elif name in self._wider:
                kept.append(name)
                self._result.wider.append(name)
            elif not self._meaning.may_execute(name):
                self._result.removed.append(name)
            elif name not in self._cut:
                self._cut[name] = self._intersected(name, rule)
                yield from self._cut[name]
        if kept:
            yield replace(rule, names=tuple(kept))

    def _intersected(self, name: str, rule: Rule) -> tuple[Rule, ...]:
        """Combine all rules for one call with those of the limit."""
        ours, theirs = (_for_call(each, name) for each in (self._profile, self._limit))
        try:
            both = intersect_profiles(ours, theirs, self._native).profile.rules
        except SeclatchError:
            both = ()
        executing = tuple(each for each in both if each.effect.kind.executes)
        (self._result.narrowed if executing else self._result.removed).append(name)
        comment = f"{rule.comment}; for the arguments that the limit allows"
        return tuple(replace(each, comment=comment) for each in executing)

    def _arches(self) -> tuple[Arch, ...]:
        known = (self._native, *self._limit.architectures)
        self._result.arches = [arch for arch in self._profile.architectures if arch not in known]
        return tuple(arch for arch in self._profile.architectures if arch in known)


def _for_call(profile: Profile, name: str) -> Profile:
    rules = tuple(replace(rule, names=(name,)) for rule in profile.rules if name in rule.names)
    return replace(profile, rules=rules)
