"""Write a profile's rules in fewer entries, with the same meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from seclatch.model.action import Action
from seclatch.model.arch import Arch
from seclatch.model.profile import Arg, Profile, Rule
from seclatch.profile.meaning.clause import Clause
from seclatch.profile.meaning.rule_meaning import read_meaning


def regroup_rules(profile: Profile, native: Arch) -> Profile:
    """Return a profile that says the same in fewer entries.

    Left out: rules without effect, and errnoRet where an action has no use for it. Joined: calls
    with the same rules, and comparisons of one argument of a call that lead to the same action
    (runtimes take several comparisons of one argument for alternatives).
    """
    meaning = read_meaning(profile, native)
    calls: dict[tuple[Rule, ...], list[str]] = {}
    for name, clauses in meaning.calls.items():
        calls.setdefault(tuple(_write_rules(clauses)), []).append(name)
    rules = [
        replace(rule, names=tuple(sorted(names))) for some, names in calls.items() for rule in some
    ]
    takes_data = profile.default.kind.takes_data
    return replace(
        profile,
        rules=tuple(sorted(rules, key=lambda rule: (bool(rule.args), rule.names))),
        architectures=tuple(dict.fromkeys(profile.architectures)),
        default_errno=profile.default.data if takes_data else None,
        default_errno_name="",
        flags=None if profile.flags is None else tuple(dict.fromkeys(profile.flags)),
    )


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
