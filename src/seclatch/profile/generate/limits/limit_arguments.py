"""A limit on arguments: those that are harmless for any program, and those that were recorded.

With a scan that knows all values that the program passes in an argument, of the harmless ones those
only, and what any program passes. What a program that was not scanned would pass is unknown: no
scan is given where one may be executed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator

from seclatch.model.action import EPERM, Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.model.recording.recording import Recording
from seclatch.model.syscall import load_syscalls
from seclatch.profile.curated.harmless_arguments import (
    HarmlessArguments,
    MaskedValue,
    RecordedIndex,
    load_harmless_arguments,
)
from seclatch.profile.generate.arguments.recorded_arguments import Values, recorded_values
from seclatch.profile.generate.arguments.scanned_arguments import ScannedArguments
from seclatch.profile.generate.limits.recorded_limit import RecordedLimit

_ALLOW = "SCMP_ACT_ALLOW"
_INT = 0xFFFFFFFF
_MOST_VALUES = 64
"""A call with more distinct values than that is not limited."""
_MOST_COMBINATIONS = 16
"""Values of further arguments that a recorded pair of values is combined with."""

SOURCE = "the policy for never-recorded arguments (--any-args switches it off)"


def make_argument_limit(
    recording: Recording,
    native: Arch,
    arches: tuple[Arch, ...],
    stages: frozenset[str],
    scanned: ScannedArguments | None = None,
) -> RecordedLimit:
    """Return a profile that allows all calls, but some with certain arguments only.

    A call that was recorded without its arguments is not limited.
    """
    values = _join_stages(recording, native, stages)
    issued = {call.name for call in recording.calls if call.stage in stages}
    rules: list[Rule] = []
    limited: set[str] = set()
    for row in load_harmless_arguments():
        seen = values.get(row.call, {})
        known = {each.index for each in row.recorded} <= seen.keys()
        if row.call in issued and (not known or any(len(seen[i]) > _MOST_VALUES for i in seen)):
            continue
        limited.add(row.call)
        rules += (
            Rule((row.call,), _ALLOW, args=args, comment=row.reason)
            for args in dict.fromkeys(_list_conditions(row, seen, _close(row, seen, scanned)))
        )
    names = {name for arch in arches for name in load_syscalls(arch).numbers}
    others = Rule(tuple(sorted(names - limited)), _ALLOW)
    profile = Profile("SCMP_ACT_ERRNO", (others, *rules), arches, default_errno=EPERM)
    return RecordedLimit(profile, SOURCE)


def _join_stages(recording: Recording, native: Arch, stages: frozenset[str]) -> dict[str, Values]:
    """Join what stages passed; an argument that one of them lacks is left out."""
    joined: dict[str, Values] = {}
    issued = {(call.stage, call.name) for call in recording.calls}
    found = {stage: recorded_values(recording, stage, native) for stage in stages}
    for name in {name for values in found.values() for name in values}:
        # A recording may be edited, or have lost calls: arguments without their call count, too.
        having = [each for each in stages if (each, name) in issued or name in found[each]]
        for index in set.intersection(*(set(found[stage].get(name, {})) for stage in having)):
            seen = frozenset().union(*(found[stage][name][index] for stage in having))
            joined.setdefault(name, {})[index] = seen
    return joined


def _close(row: HarmlessArguments, seen: Values, scanned: ScannedArguments | None) -> Values:
    """Return the values of the arguments of which the scan knows all."""
    return {
        each.index: frozenset(
            value & _INT
            for value in (
                *each.values,
                *scanned.values.get((row.call, each.index), ()),
                *seen.get(each.index, ()),
            )
        )
        for each in row.ordinary
        if scanned is not None and scanned.closes(row.call, each.index)
    }


def _list_conditions(
    row: HarmlessArguments, seen: Values, closed: Values
) -> Iterator[tuple[Arg, ...]]:
    for condition in row.harmless:
        choices = (
            _select_values(each, closed[each.index]) if each.index in closed else [each]
            for each in condition
        )
        for chosen in itertools.product(*choices):
            yield tuple(_compare(each) for each in chosen)
    for each in row.recorded:
        for pair in _list_recorded(each, seen):
            yield from _add_others(pair, row, seen)


def _list_recorded(recorded: RecordedIndex, seen: Values) -> Iterator[tuple[Arg, ...]]:
    """Yield what was recorded beside what is harmless, a pair of values where both are known."""
    for value in sorted({value & recorded.mask for value in seen.get(recorded.index, ())}):
        if value in recorded.covered:
            continue
        first = _compare(MaskedValue(recorded.index, recorded.mask, value))
        if recorded.pair is None or recorded.pair not in seen:
            yield (first,)
            continue
        others = {other & _INT for other in seen[recorded.pair]}
        for other in sorted(others & set(recorded.among) if recorded.among else others):
            second = _compare(MaskedValue(recorded.pair, _INT, other))
            yield tuple(sorted((first, second), key=lambda arg: arg.index))


def _add_others(
    pair: tuple[Arg, ...], row: HarmlessArguments, seen: Values
) -> Iterator[tuple[Arg, ...]]:
    """Limit a recorded pair to what was recorded in the row's other arguments, if it is not much.

    A raw socket for one protocol is not one for all.
    """
    compared = {arg.index for arg in pair}
    others = [
        [
            _compare(MaskedValue(each.index, each.mask, value))
            for value in sorted({value & each.mask for value in seen[each.index]})
        ]
        for each in row.recorded
        if len(compared) > 1 and each.index not in compared and each.index in seen
    ]
    if math.prod(map(len, others)) > _MOST_COMBINATIONS:
        others = []
    for chosen in itertools.product(*others):
        yield tuple(sorted((*pair, *chosen), key=lambda arg: arg.index))


def _select_values(compared: MaskedValue, values: Iterable[int]) -> list[MaskedValue]:
    """Return comparisons that hold for those of some values for which one holds, as few as can be.

    Values that differ in one bit are one comparison without it.
    """
    found = {(_INT, value) for value in values if value & compared.mask == compared.value}
    for bit in (1 << place for place in range(_INT.bit_length())):
        for mask, value in sorted(found):
            pair = {(mask, value), (mask, value ^ bit)}
            if mask & bit and not value & bit and pair <= found:
                found = (found - pair) | {(mask ^ bit, value)}
    return [MaskedValue(compared.index, mask, value) for mask, value in sorted(found)]


def _compare(each: MaskedValue) -> Arg:
    return Arg(each.index, Operator.MASKED_EQ, each.mask, each.value)
