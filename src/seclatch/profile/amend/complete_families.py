"""Add the calls that are harmless for a program that makes the newly allowed ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.syscall import load_syscalls
from seclatch.profile.amend.propose_rules import ALLOW, ProposedCall
from seclatch.profile.curated.call_data import load_dangerous, load_families
from seclatch.profile.generate.limits.limit_profile import limit_profile
from seclatch.profile.generate.limits.recorded_limit import RecordedLimit
from seclatch.profile.meaning.rule_meaning import read_meaning


def complete_families(
    profile: Profile,
    native: Arch,
    accepted: Iterable[ProposedCall],
    limit: RecordedLimit,
    left_denied: Iterable[str] = (),
) -> Iterator[ProposedCall]:
    """Yield for each family of `generate` the calls that neither profile nor proposals have.

    What a rule of the profile denies, a user ignores (`left_denied`) or the limit denies, is not
    among them.
    """
    meaning, calls = read_meaning(profile, native), load_syscalls(native)
    allowed = {name for each in accepted for name in each.names}
    excluded = {*load_dangerous(), *allowed, *left_denied}
    for family in load_families():
        used = sorted(allowed.intersection(family.uses))
        names = sorted(
            name
            for name in {*family.adds} - excluded
            if calls.has(name) and not meaning.clauses(name) and not meaning.may_execute(name)
        )
        if not used or not names:
            continue
        rule = Rule(tuple(names), ALLOW)
        wanted = replace(profile, rules=(rule,), default_action="SCMP_ACT_ERRNO")
        rules = tuple(
            replace(each, comment="")
            for each in limit_profile(wanted, limit.profile, native).profile.rules
        )
        kept = tuple(sorted({name for each in rules for name in each.names}))
        if kept:
            excluded.update(kept)
            reason = f"{family.family}: {family.reason} (it makes {', '.join(used)})"
            yield ProposedCall(kept, rules, "harmless", 0, reason)
