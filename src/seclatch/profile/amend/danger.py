"""Say why a call must not be allowed without a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seclatch.model.profile.profile import Rule, list_alternatives
from seclatch.profile.amend.denial_evidence import DenialEvidence
from seclatch.profile.curated.call_data import load_dangerous
from seclatch.profile.curated.kernel_cves import DangerousArgument, load_dangerous_arguments
from seclatch.profile.meaning import rule_comparison

_SOCKETS = ("socket", "socketpair")

HasFamily = Callable[[str, int], bool]


def find_danger(
    name: str, rules: Sequence[Rule], denials: Sequence[DenialEvidence], has_family: HasFamily
) -> str:
    """Return the reason, "" for none: by its name, by arguments, by a new address family."""
    if row := load_dangerous().get(name):
        return row.reason
    for dangerous in load_dangerous_arguments():
        if dangerous.call == name and _permits(rules, denials, dangerous):
            return f"allows {dangerous.label}: {dangerous.reason}"
    if name in _SOCKETS:
        return _find_new_family(name, denials, has_family)
    return ""


def _permits(
    rules: Sequence[Rule], denials: Sequence[DenialEvidence], dangerous: DangerousArgument
) -> bool:
    """Whether it was seen, or, where arguments are not known, whether the rules allow it."""
    needed = {int(index): values for index, values in dangerous.args.items()}
    if all(denial.args is not None and not denial.partial for denial in denials):
        return any(
            all(_low(denial.args[index]) in map(_low, values) for index, values in needed.items())
            for denial in denials
            if denial.args is not None
        )
    return any(
        all(
            any(rule_comparison.matches_value(arg, value) for value in needed[arg.index])
            for arg in alternative
            if arg.index in needed
        )
        for rule in rules
        for alternative in list_alternatives(rule.args)
    )


def _low(value: int) -> int:
    return value & 0xFFFFFFFF


def _find_new_family(name: str, denials: Sequence[DenialEvidence], has_family: HasFamily) -> str:
    values = {denial.selector for denial in denials}
    if None in values:
        return "opens address families that the profile does not have: which, is not recorded"
    new = sorted(value for value in values if value is not None and not has_family(name, value))
    if not new:
        return ""
    return f"opens address families that the profile does not have: {', '.join(map(str, new))}"
