"""Write a profile's rules in fewer entries, with the same meaning."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from seclatch.model.action import Action
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.profile.meaning.clause import Clause, list_overlaps
from seclatch.profile.meaning.rule_meaning import read_meaning


def regroup_rules(profile: Profile, native: Arch) -> Profile:
    """Return a profile that says the same in fewer entries.

    Left out: rules without effect, and errnoRet where an action has no use for it. Joined: calls
    with the same rules, and comparisons of one argument of a call that lead to the same action
    (runtimes take several comparisons of one argument for alternatives). A call keeps its rules as
    they are where their order may count: if conditions overlap, or if it is decided by other rules
    where arguments have 32 bits.
    """
    meaning, narrow = read_meaning(profile, native), read_meaning(profile, native, 32)
    calls: dict[tuple[Rule, ...], list[str]] = {}
    kept: dict[tuple[Rule, ...], list[str]] = {}
    for name, clauses in meaning.calls.items():
        overlaps = itertools.chain(list_overlaps(clauses), list_overlaps(clauses, 32))
        if clauses == narrow.clauses(name) and next(overlaps, None) is None:
            calls.setdefault(tuple(_write_rules(clauses)), []).append(name)
        else:
            kept.setdefault(tuple(_keep_rules(profile, name)), []).append(name)
    rules = sorted(_name_rules(calls), key=lambda rule: (bool(rule.args), rule.names))
    takes_data = profile.default.kind.takes_data
    return replace(
        profile,
        rules=(*rules, *_name_rules(kept)),  # of the kept ones the order counts
        architectures=tuple(dict.fromkeys(profile.architectures)),
        default_errno=profile.default.data if takes_data else None,
        default_errno_name="",
        flags=None if profile.flags is None else tuple(dict.fromkeys(profile.flags)),
    )


def _name_rules(calls: dict[tuple[Rule, ...], list[str]]) -> Iterator[Rule]:
    for rules, names in calls.items():
        for rule in rules:
            yield replace(rule, names=tuple(sorted(names)))


def _keep_rules(profile: Profile, name: str) -> Iterator[Rule]:
    """Yield the rules of one call as they are, without its name."""
    for rule in profile.rules:
        if name in rule.names and rule.effect != profile.default:
            yield _make_rule(rule.effect, rule.args)


def _write_rules(clauses: Sequence[Clause]) -> Iterator[Rule]:
    """Yield the rules of one call, without its name."""
    alternatives: dict[tuple[Action, int], list[Arg]] = {}
    for clause in clauses:
        if len(clause.args) == 1:
            alternatives.setdefault((clause.action, clause.args[0].index), []).append(
                clause.args[0]
            )
        else:
            yield _make_rule(clause.action, clause.args)
    for (action, _), args in alternatives.items():
        yield _make_rule(action, args)


def _make_rule(action: Action, args: Iterable[Arg]) -> Rule:
    errno = action.data if action.kind.takes_data else None
    return Rule((), action.kind.scmp, errno, tuple(args))
