"""Does a rule hold for a call? By the words of the profile, with no compiler in between."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator

from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.call import Call
from seclatch.model.profile import Arg, Profile, Rule
from seclatch.model.syscall import Syscall


def matching(profile: Profile, syscall: Syscall, call: Call) -> Iterator[Rule]:
    """The rules that hold for a call, in the profile's order. None: the default action is meant.

    Rules that cover a call through its multiplexer (x86's socketcall) are not looked for.
    """
    for rule in profile.rules:
        if syscall.name in rule.names and holds(rule, syscall.arch, call):
            yield rule


def holds(rule: Rule, arch: Arch, call: Call) -> bool:
    """Do a rule's comparisons hold? All must; but of two about one argument, any one is enough.

    So runc and crun read them (a compatibility rule of both).
    """
    results = [_compare(arg, arch, call) for arg in rule.args]
    if any(count > 1 for count in Counter(arg.index for arg in rule.args).values()):
        return any(results)
    return all(results)


def _compare(arg: Arg, arch: Arch, call: Call) -> bool:
    """libseccomp compares as many bits as the ABI's arguments have, unsigned."""
    mask = (1 << arch.bits) - 1
    left = (call.args[arg.index] if arg.index < len(call.args) else 0) & mask
    right = arg.value & mask
    if arg.operator is Operator.MASKED_EQ:
        return left & right == arg.value_two & mask
    return _COMPARISONS[arg.operator](left, right)


_COMPARISONS: dict[Operator, Callable[[int, int], bool]] = {
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.EQ: operator.eq,
    Operator.GE: operator.ge,
    Operator.GT: operator.gt,
}
