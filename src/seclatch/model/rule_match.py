"""Does a rule hold for a call? By the words of the profile, with no compiler in between."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence

from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.profile import Arg, Profile, Rule, list_alternatives
from seclatch.model.syscall import Syscall

Args = Sequence[int | None]
"""The six arguments; None for one that is left open."""


def find_matching_rules(
    profile: Profile, syscall: Syscall, args: Args
) -> Iterator[tuple[int, Rule]]:
    """The rules that hold for a call, with their places in the profile. None: the default is meant.

    Rules that cover a call through its multiplexer (x86's socketcall) are not looked for.
    """
    for index, rule in enumerate(profile.rules):
        if syscall.name in rule.names and rule_holds(rule, syscall.arch, args):
            yield index, rule


def rule_holds(rule: Rule, arch: Arch, args: Args) -> bool:
    """Do a rule's comparisons hold (or can they, where an argument is open)?

    All must; but of two about one argument any one is enough: so runc and crun read them.
    """
    return any(
        all(_compare(arg, arch, args[arg.index]) for arg in each)
        for each in list_alternatives(rule.args)
    )


def _compare(arg: Arg, arch: Arch, value: int | None) -> bool:
    """libseccomp compares as many bits as the ABI's arguments have, unsigned."""
    if value is None:
        return True
    mask = (1 << arch.bits) - 1
    left, right = value & mask, arg.value & mask
    if arg.operator is Operator.MASKED_EQ:
        return left & right == arg.value_two & right  # libseccomp drops what the mask does
    return _COMPARISONS[arg.operator](left, right)


_COMPARISONS: dict[Operator, Callable[[int, int], bool]] = {
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.EQ: operator.eq,
    Operator.GE: operator.ge,
    Operator.GT: operator.gt,
}
