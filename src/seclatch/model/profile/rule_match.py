"""Match a call against a profile's rules, as written and without a compiler."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence

from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Profile, Rule, list_alternatives
from seclatch.model.syscall import Syscall

Args = Sequence[int | None]
"""The six arguments; None for an open one."""


def find_matching_rules(
    profile: Profile, syscall: Syscall, args: Args
) -> Iterator[tuple[int, Rule]]:
    """Yield the rules that match a call, with their indices; none: the default applies.

    Rules that cover a call through its multiplexer (x86's socketcall) are not considered.
    """
    for index, rule in enumerate(profile.rules):
        if syscall.name in rule.names and rule_holds(rule, syscall.arch, args):
            yield index, rule


def rule_holds(rule: Rule, arch: Arch, args: Args) -> bool:
    """Return whether a rule's comparisons hold (or can hold, where an argument is open).

    All must hold; if two are about one argument, any one is enough: so runc and crun read them.
    """
    return any(
        all(_compare(arg, arch, args[arg.index]) for arg in alternative)
        for alternative in list_alternatives(rule.args)
    )


def _compare(arg: Arg, arch: Arch, value: int | None) -> bool:
    """Compare unsigned, as many bits as the ABI's arguments have, as libseccomp does."""
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
