"""Comparisons that say something else than they seem to."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.action import Operator
from seclatch.model.profile.finding import Finding, Severity
from seclatch.model.profile.profile import Arg, Rule, format_comparisons, list_alternatives
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.profile.checks.checked_profile import CheckedProfile
from seclatch.profile.meaning import rule_comparison
from seclatch.profile.meaning.clause import Clause, cover_all
from seclatch.profile.parse.text_position import Path

_MEANT = (
    "write a rule for each alternative; where all shall hold, compare each argument once: a list "
    "of values, each with EQ in a rule of its own, or MASKED_EQ"
)


def check_comparisons(subject: CheckedProfile) -> Iterator[Finding]:
    """Each rule as it is written, whether it is in force or not."""
    for index, rule in enumerate(subject.profile.rules):
        path: Path = ("syscalls", index, "args")
        for number, arg in enumerate(rule.args):
            beyond = list(_beyond_mask(arg, (*path, number)))
            yield from beyond or _constant(arg, (*path, number))
        if len(list_alternatives(rule.args)) > 1:
            yield from _either(rule, path)


def _constant(arg: Arg, path: Path) -> Iterator[Finding]:
    """One that no value, or every value, satisfies."""
    never, always = rule_comparison.matches_nothing(arg), rule_comparison.matches_everything(arg)
    if never or always:
        yield Finding(
            "constant-comparison",
            Severity.ERROR if never else Severity.WARNING,
            f"`{arg}` holds for {'no' if never else 'every'} value",
            "correct the value, or remove the " + ("rule" if never else "comparison"),
            path,
        )


def _beyond_mask(arg: Arg, path: Path) -> Iterator[Finding]:
    """Bits that the mask takes away can never be those of the value."""
    if arg.operator is Operator.MASKED_EQ and arg.value_two & ~arg.value:
        yield Finding(
            "beyond-mask",
            Severity.ERROR,
            f"as it is written `{arg}` holds for no value; libseccomp drops the bits that the mask "
            f"(`value`) has not, and compares with {arg.value_two & arg.value:#x}",
            "correct the mask in `value`, or the bits that are wanted in `valueTwo`",
            path,
        )


def _either(rule: Rule, path: Path) -> Iterator[Finding]:
    """Two comparisons of one argument. A list of values can be meant in no other way."""
    if all(arg.operator is Operator.EQ and arg.index == rule.args[0].index for arg in rule.args):
        return
    words = format_comparisons(rule.args)
    who = "runc, crun and youki" if len(rule.args) <= MAX_ARGS else "runc and youki"
    yield Finding(
        "argument-twice",
        Severity.WARNING,
        f"one argument is compared twice, so {who} take all comparisons of this rule "
        f"for alternatives: it holds where {words}",
        _MEANT,
        path,
    )
    clauses = [Clause(args, rule.effect) for args in list_alternatives(rule.args)]
    if cover_all(clauses) and not any(map(rule_comparison.matches_everything, rule.args)):
        yield Finding(
            "constant-comparison",
            Severity.ERROR,
            f"`{words}` holds for every value: the rule is one without conditions",
            _MEANT,
            path,
        )
