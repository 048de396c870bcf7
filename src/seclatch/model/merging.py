"""Several recordings as one: what any of them has, and in how many of them.

Merging is associative and commutative (a merged recording may be merged again), so that it does not
matter which machine sums up what first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from seclatch.model.recording import Argument, Calls, Denial, Host, Lost, Recording
from seclatch.model.stage import Stage

_ORDER = {stage.value: number for number, stage in enumerate(Stage)}


class _Call(NamedTuple):
    stage: str
    arch: str
    number: int
    name: str
    errno: int = -1


def merge(recordings: Iterable[Recording]) -> Recording:
    """Merge one or more. Raises ValueError for none."""
    merger = _Merger()
    for recording in recordings:
        merger.add(recording)
    return merger.result()


class _Merger:
    def __init__(self) -> None:
        self._first: Recording | None = None
        self._complete = True
        self._runs = 0
        self._started = ""
        self._duration = 0.0
        self._commands: set[tuple[str, ...]] = set()
        self._hosts: set[Host] = set()
        self._runtimes: set[str] = set()
        self._counts: Counter[_Call] = Counter()
        self._runs_of: Counter[_Call] = Counter()
        self._arguments: Counter[tuple[str, str, str, int, int]] = Counter()
        self._lost: Counter[str] = Counter()

    def add(self, recording: Recording) -> None:
        """Add one recording, itself merged or not."""
        self._first = self._first or recording
        self._complete &= recording.complete
        self._runs += recording.runs
        self._started = min(self._started or recording.started, recording.started)
        self._duration = max(self._duration, recording.duration)
        self._commands.update(tuple(each) for each in recording.commands)
        self._hosts.update(recording.hosts)
        self._runtimes.update(recording.runtimes)
        runs: dict[_Call, int] = {}
        entries: list[Calls | Denial] = [*recording.calls, *recording.denials]
        for each in entries:
            errno = each.errno if isinstance(each, Denial) else -1
            call = _Call(each.stage, each.arch, each.number, each.name, errno)
            self._counts[call] += each.count
            runs[call] = max(runs.get(call, 0), each.runs)
        self._runs_of.update(runs)
        for argument in recording.arguments:
            key = (argument.stage, argument.arch, argument.name, argument.index, argument.value)
            self._arguments[key] += argument.count
        for name in Lost.__struct_fields__:
            self._lost[name] += getattr(recording.lost, name)

    def result(self) -> Recording:
        """Answer the sum."""
        if self._first is None:
            raise ValueError("nothing to merge")
        calls = [each for each in self._ordered() if each.errno < 0]
        denials = [each for each in self._ordered() if each.errno >= 0]
        return Recording(
            seclatch=self._first.seclatch,
            complete=self._complete,
            runs=self._runs,
            commands=sorted(list(each) for each in self._commands),
            started=self._started,
            duration=self._duration,
            hosts=sorted(self._hosts),
            runtimes=sorted(self._runtimes),
            containers=[],
            sessions=[],
            processes=[],
            events=[],
            calls=[self._calls(each) for each in calls],
            denials=[self._denial(each) for each in denials],
            arguments=[
                Argument(stage=stage, arch=arch, name=name, index=index, value=value, count=count)
                for (stage, arch, name, index, value), count in sorted(self._arguments.items())
            ],
            lost=Lost(**self._lost),
        )

    def _ordered(self) -> list[_Call]:
        return sorted(
            self._counts, key=lambda call: (_ORDER.get(call.stage, len(_ORDER)), *call[1:])
        )

    def _calls(self, call: _Call) -> Calls:
        return Calls(
            process=None,
            stage=call.stage,
            arch=call.arch,
            number=call.number,
            name=call.name,
            count=self._counts[call],
            runs=self._runs_of[call],
        )

    def _denial(self, call: _Call) -> Denial:
        return Denial(
            process=None,
            stage=call.stage,
            arch=call.arch,
            number=call.number,
            name=call.name,
            errno=call.errno,
            count=self._counts[call],
            runs=self._runs_of[call],
        )
