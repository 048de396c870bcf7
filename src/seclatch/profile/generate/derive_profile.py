"""Derive a profile from another one: some calls more, some less."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from seclatch.model.profile.profile import Profile, Rule


def derive_profile(profile: Profile, allow: Iterable[str], deny: Iterable[str]) -> Profile:
    """Allow and deny calls whatever their arguments and the container's capabilities.

    The rules that the profile has for them go; all others stay as they are, conditions too.
    """
    allowed, denied = sorted(set(allow)), sorted(set(deny))
    changed = {*allowed, *denied}
    rules = [
        replace(rule, names=names)
        for rule in profile.rules
        if (names := tuple(name for name in rule.names if name not in changed))
    ]
    if allowed:
        rules.append(Rule(tuple(allowed), "SCMP_ACT_ALLOW", comment="allowed by derive"))
    if denied and profile.default.kind.executes:
        rules.append(Rule(tuple(denied), "SCMP_ACT_ERRNO", 1, comment="denied by derive"))
    return replace(profile, rules=tuple(rules))
