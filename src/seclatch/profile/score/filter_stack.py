"""Filters that bind a process together: a call is made if all of them let it be made."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from seclatch.model.profile.profile import Profile
from seclatch.profile.curated.kernel_cves import CveCall
from seclatch.profile.meaning.known_arguments import know_arguments
from seclatch.profile.meaning.rule_meaning import ProfileMeaning

Beyond = frozenset[tuple[str, str]]


_DECIDED_ELSEWHERE = ("SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE")


def open_decided_elsewhere(profile: Profile) -> Profile:
    """Return the profile with each call allowed that an agent or a tracer decides about.

    It may let the call be made (seccomp_unotify(2), ptrace(2)), and no filter says whether.
    """
    rules = tuple(
        replace(rule, action="SCMP_ACT_ALLOW") if rule.action in _DECIDED_ELSEWHERE else rule
        for rule in profile.rules
    )
    default = profile.default_action
    allowed = "SCMP_ACT_ALLOW" if default in _DECIDED_ELSEWHERE else default
    return replace(profile, rules=rules, default_action=allowed)


@dataclass(frozen=True, slots=True)
class StackLayer:
    """What one filter says; of the calls `beyond` (ABI's title, name) its rules do not say all."""

    meaning: ProfileMeaning
    beyond: Beyond = frozenset()

    def may_execute(self, name: str, known: Mapping[int, int]) -> bool:
        """Is the call made for some values of the arguments that are not known?"""
        if (self.meaning.arches[0].title, name) in self.beyond:
            return True
        meaning = know_arguments(self.meaning, name, known) if known else self.meaning
        return meaning.may_execute(name)

    def always_executes(self, name: str) -> bool:
        """Is the call made whatever its arguments, as far as rules say it?"""
        return (self.meaning.arches[0].title, name) not in self.beyond and (
            self.meaning.always_executes(name)
        )


@dataclass(frozen=True, slots=True)
class FilterStack:
    """No layers: no seccomp at all."""

    layers: Sequence[StackLayer]
    _known: dict[CveCall, bool] = field(default_factory=dict, repr=False, compare=False)

    def may_execute(self, name: str, known: Mapping[int, int] | None = None) -> bool:
        """Is the call made for some values of the arguments that are not known?"""
        return all(layer.may_execute(name, known or {}) for layer in self.layers)

    def always_executes(self, name: str) -> bool:
        """Is the call made whatever its arguments?"""
        return all(layer.always_executes(name) for layer in self.layers)

    def lets_pass(self, needed: CveCall) -> bool:
        """Is the call made with one combination at least of the values?"""
        indices = [int(index) for index in needed.args]
        cases = itertools.product(*needed.args.values())
        return any(
            self.may_execute(needed.call, dict(zip(indices, case, strict=True))) for case in cases
        )
