"""Rules that compare arguments with those that were recorded."""

from __future__ import annotations

from collections.abc import Iterable

from seclatch.model.action import Operator
from seclatch.model.profile.profile import Arg, Rule
from seclatch.model.recording.recording import RecordedArgument

_ALLOW = "SCMP_ACT_ALLOW"

# The one argument by which `--args` tells uses of a call apart. All are ints to the kernel: the
# upper half of the register means nothing and may hold anything, so it is masked off.
SELECTORS = {
    "socket": 0,
    "socketpair": 0,
    "clone": 0,
    "unshare": 0,
    "setns": 1,
    "prctl": 0,
    "ioctl": 1,
    "personality": 0,
    "keyctl": 0,
    "bpf": 0,
    "ptrace": 0,
    "seccomp": 0,
    "fcntl": 1,
    "madvise": 2,
    "setsockopt": 1,
}
INT = 0xFFFFFFFF
MAX_VALUES = 64
"""A call with more distinct values than that is allowed as a whole."""

_PROT_EXEC = 4
_NAMESPACES = 0x7E020000
"""clone(2)'s flags for new namespaces: its other flags depend on the C library's version."""

MAPPERS = {"mmap": 2, "mprotect": 2, "pkey_mprotect": 2}

Values = dict[tuple[str, int], set[int]]
"""Recorded values by a call's name and the argument's index, as the kernel takes an int."""


def recorded_values(arguments: Iterable[RecordedArgument], stages: set[str]) -> Values:
    """Collect what some stages have handed over."""
    values: Values = {}
    for each in arguments:
        if each.stage in stages:
            values.setdefault((each.name, each.index), set()).add(each.value & INT)
    return values


def narrow_rules(names: Iterable[str], values: Values) -> list[Rule]:
    """Return one rule a value: runc ORs several conditions on one argument, crun ANDs them."""
    rules: list[Rule] = []
    for name in sorted(names):
        if name in SELECTORS:
            seen = values.get((name, SELECTORS[name]), set())
            mask = _NAMESPACES if name == "clone" else INT
            rules += _one_each(name, SELECTORS[name], {value & mask for value in seen}, mask)
        elif name in MAPPERS:
            rules += _without_exec(name, values.get((name, MAPPERS[name]), set()))
    return rules


def _one_each(name: str, index: int, values: set[int], mask: int) -> list[Rule]:
    if not 0 < len(values) <= MAX_VALUES:
        return []
    return [
        Rule(
            (name,),
            _ALLOW,
            args=(Arg(index, Operator.MASKED_EQ, mask, value),),
            comment=f"only with values that were recorded or scanned: argument {index} {value:#x}"
            if mask == INT
            else f"only in namespaces as recorded: flags & {mask:#x} = {value:#x}",
        )
        for value in sorted(values)
    ]


def _without_exec(name: str, protections: set[int]) -> list[Rule]:
    """Nothing executable, if nothing executable was ever mapped."""
    if not protections or any(value & _PROT_EXEC for value in protections):
        return []
    comment = "no executable memory was ever asked for"
    return [
        Rule((name,), _ALLOW, args=(Arg(2, Operator.MASKED_EQ, _PROT_EXEC, 0),), comment=comment)
    ]
