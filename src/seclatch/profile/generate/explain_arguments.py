"""Say for each condition on a call's arguments why it is in, and which values were left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, format_comparisons
from seclatch.model.profile.profile_reasons import ArgumentKind, ArgumentReason, LeftOutArgument
from seclatch.model.recording.recording import Recording
from seclatch.profile.curated.harmless_arguments import load_harmless_arguments
from seclatch.profile.generate.arguments.narrow_arguments import INT
from seclatch.profile.generate.assemble_profile import AssembledProfile
from seclatch.profile.meaning.known_arguments import know_arguments
from seclatch.profile.meaning.rule_comparison import matches_value
from seclatch.profile.meaning.rule_meaning import read_meaning

_MOST = 8
_MOST_LEFT_OUT = 64

Counts = dict[tuple[str, int], Counter[int]]
"""How often a value was recorded, by call and index."""


class ArgumentExplainer:
    """Knows the recorded and the scanned values of an assembled profile."""

    def __init__(self, done: AssembledProfile) -> None:
        self._done = done
        self._recorded = _count_values(done.recording, done.stages)
        self._scanned = done.scanned.values if done.scanned else {}
        rows = load_harmless_arguments()
        self._harmless = {row.call: row.reason for row in rows}
        self._ordinary = {
            (row.call, each.index): set(each.values) for row in rows for each in row.ordinary
        }

    def describe_harmless(self, name: str, arguments: Sequence[ArgumentReason]) -> str:
        """Return what makes arguments harmless, where some are allowed for that."""
        harmless = any(each.kind in ("ordinary", "harmless") for each in arguments)
        return self._harmless.get(name, "") if harmless else ""

    def explain(self, name: str, args: tuple[Arg, ...]) -> ArgumentReason:
        """Give the reason of one rule's comparisons."""
        kinds = [self._find_kind(name, arg) for arg in args]
        kind = next(each for each in _WEAKEST_FIRST if each in kinds)
        texts = [
            f"argument {arg.index} {text}" if len(args) > 1 else text
            for arg in args
            for text in self._list_values(name, arg)
        ]
        condition = format_comparisons(args)
        return ArgumentReason(
            condition=condition, kind=kind, reason="; ".join([*texts, *_OTHERS[kind]])
        )

    def _find_kind(self, name: str, arg: Arg) -> ArgumentKind:
        """Return the least certain source of the values for which a comparison holds."""
        recorded, scanned = self._match(name, arg)
        ordinary = {
            value
            for value in self._ordinary.get((name, arg.index), ())
            if matches_value(arg, value) and not (value in recorded or value in scanned)
        }
        count = _count_matching(arg)
        if len(recorded) == count:
            return "recorded"
        if len(recorded) + len(scanned) == count:
            return "scan"
        if len(recorded) + len(scanned) + len(ordinary) == count:
            return "ordinary"
        return "harmless" if name in self._harmless else "limit"

    def _list_values(self, name: str, arg: Arg) -> Iterator[str]:
        recorded, scanned = self._match(name, arg)
        if recorded:
            times = (f"{value:#x} ({count})" for value, count in recorded.items())
            yield f"recorded {_shorten(list(times))}"
        if scanned:
            yield f"in the binaries {_shorten([f'{value:#x}' for value in scanned])}"

    def _match(self, name: str, arg: Arg) -> tuple[Mapping[int, int], list[int]]:
        """Return the recorded values with their counts, and those of the scan alone."""
        seen = self._recorded.get((name, arg.index), Counter())
        recorded = {value: seen[value] for value in sorted(seen) if matches_value(arg, value)}
        found = self._scanned.get((name, arg.index), set())
        return recorded, sorted(v for v in found if v not in seen and matches_value(arg, v))

    def list_left_out(self, allowed: set[str]) -> Iterator[LeftOutArgument]:
        """Yield recorded and scanned values with which allowed calls are denied."""
        profile = self._done.profile
        native = profile.architectures[0] if profile.architectures else Arch.native()
        meaning = read_meaning(profile, native)
        for name, index in sorted({*self._recorded, *self._scanned}):
            if name not in allowed or name == "clone3" or meaning.always_executes(name):
                continue
            seen = self._recorded.get((name, index), Counter())
            found = self._scanned.get((name, index), set())
            for value in sorted({*seen, *found})[:_MOST_LEFT_OUT]:
                if not know_arguments(meaning, name, {index: value}).may_execute(name):
                    yield LeftOutArgument(
                        call=name,
                        index=index,
                        value=value,
                        reason=self._why_not(name, recorded=value in seen),
                        remedy=f"--wider {name}",
                    )

    def _why_not(self, name: str, *, recorded: bool) -> str:
        if recorded:
            source = self._done.completed.removed.get(name) if self._done.completed else None
            return f"recorded, and {source or 'the given profile'} denies it"
        return "in the binaries, never recorded, and not harmless for any program"


_WEAKEST_FIRST: tuple[ArgumentKind, ...] = ("limit", "harmless", "ordinary", "scan", "recorded")
_OTHERS: dict[ArgumentKind, tuple[str, ...]] = {
    "limit": ("as the container's profile, or the given one, allows it",),
    "harmless": ("harmless for any program",),
    "ordinary": ("ordinary, by C libraries, shells or tools",),
    "scan": (),
    "recorded": (),
}


def _count_matching(arg: Arg) -> int:
    """Return for how many values of 32 bits, as the kernel takes an int, a comparison holds."""
    if arg.operator is Operator.MASKED_EQ:
        return 1 << (INT & ~arg.value).bit_count()
    return 1 if arg.operator is Operator.EQ else INT


def _count_values(recording: Recording, stages: frozenset[str]) -> Counts:
    counts: Counts = {}
    for each in recording.arguments:
        if each.stage in stages:
            key = (each.name, each.index)
            counts.setdefault(key, Counter())[each.value & INT] += each.count
    return counts


def _shorten(words: list[str]) -> str:
    more = f" and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return ", ".join(words[:_MOST]) + more
