"""The counts of a recording: calls, denials, arguments, and what was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from seclatch.model.recording import recording as model
from seclatch.model.stage import Stage
from seclatch.recording.trace.numbering import NumberedTrace
from seclatch.recording.trace.syscall_names import SyscallNames

_STAGES = [stage.value for stage in Stage]


def list_calls(numbered: NumberedTrace, names: SyscallNames) -> Iterator[model.RecordedCalls]:
    """Yield how often each process made each call in each stage."""
    total: dict[tuple[int, int, bool, int], int] = {}
    boot: Counter[tuple[int, int, bool, int]] = Counter()
    for segment in numbered.segments:
        process, stage = segment.process, numbered.rank(segment)
        for (compat, number), count in segment.calls.items():
            key = (process, stage, compat, number)
            total[key] = total.get(key, 0) + count
        for (compat, number), count in segment.before_ready.calls.items():
            boot[process, stage, compat, number] += count
        for (compat, number), count in segment.injected.items():
            key = (process, numbered.rank_before(segment), compat, number)
            total[key] = total.get(key, 0) + count
            boot[key] += count  # before the program's first instruction
    marked = numbered.trace.ready is not None
    for (process, stage, compat, number), count in sorted(total.items()):
        arch, call, name = names.find_row(compat, number)
        yield model.RecordedCalls(
            process=numbered.ids[process],
            stage=_STAGES[stage],
            arch=arch,
            number=call,
            name=name,
            count=count,
            running=count - boot[process, stage, compat, number] if marked else 0,
        )


def list_denials(numbered: NumberedTrace, names: SyscallNames) -> Iterator[model.RecordedDenial]:
    """Yield how often filters denied each call, by errno."""
    total: Counter[tuple[int, int, bool, int, int]] = Counter()
    boot: Counter[tuple[int, int, bool, int, int]] = Counter()
    for segment in numbered.segments:
        process, stage = segment.process, numbered.rank(segment)
        for key, count in segment.denied.items():
            total[process, stage, *key] += count
        for key, count in segment.before_ready.denied.items():
            boot[process, stage, *key] += count
    marked = numbered.trace.ready is not None
    for row, count in sorted(total.items()):
        process, stage, compat, number, errno = row
        arch, call, name = names.find_row(compat, number)
        yield model.RecordedDenial(
            process=numbered.ids[process],
            stage=_STAGES[stage],
            arch=arch,
            number=call,
            name=name,
            errno=errno,
            count=count,
            running=count - boot[row] if marked else 0,
        )


def list_arguments(
    numbered: NumberedTrace, names: SyscallNames
) -> Iterator[model.RecordedArgument]:
    """Yield the observed values of arguments by which profiles are narrowed."""
    total: Counter[tuple[Stage, int, int, int]] = Counter()
    boot: Counter[tuple[Stage, int, int, int]] = Counter()
    for segment in numbered.segments:
        stage_ = numbered.stage(segment)
        for key, count in segment.arguments.items():
            total[stage_, *key] += count
        for key, count in segment.before_ready.arguments.items():
            boot[stage_, *key] += count
    marked = numbered.trace.ready is not None
    for (stage, number, index, value), count in sorted(
        total.items(), key=lambda item: (item[0][0].value, *item[0][1:])
    ):
        call = names.find_syscall(False, number)
        yield model.RecordedArgument(
            stage=stage.value,
            arch=call.arch.title,
            name=call.name,
            index=index,
            value=value,
            count=count,
            running=count - boot[stage, number, index, value] if marked else 0,
        )


def list_denied_arguments(
    numbered: NumberedTrace, names: SyscallNames
) -> Iterator[model.DeniedArgument]:
    """Yield the observed values of arguments of denied calls."""
    total: Counter[tuple[int, int, int, int, int]] = Counter()
    for segment in numbered.segments:
        for key, count in segment.denied_arguments.items():
            total[(segment.process, numbered.rank(segment), *key)] += count
    for (process, stage, number, index, value), count in sorted(total.items()):
        call = names.find_syscall(False, number)
        yield model.DeniedArgument(
            process=numbered.ids[process],
            stage=_STAGES[stage],
            arch=call.arch.title,
            name=call.name,
            index=index,
            value=value,
            count=count,
        )


def count_lost(numbered: NumberedTrace) -> model.LostCounts:
    """Return what could not be counted, or not be attributed to a process."""
    lost = numbered.trace.lost
    return model.LostCounts(
        events=lost.events,
        processes=lost.processes,
        calls=lost.calls + numbered.trace.stray.total() + numbered.trace.stray_rare.total(),
        arguments=lost.arguments,
    )
