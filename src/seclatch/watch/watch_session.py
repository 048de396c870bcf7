"""Watch until a signal: take denials from the sources, describe them, write them to the targets."""

from __future__ import annotations

import dataclasses
import select
import time
from collections.abc import Callable, Sequence

from seclatch.errors import SeclatchError
from seclatch.model.denial_log import LogLine, WatchEvent
from seclatch.model.seen_denial import SeenDenial
from seclatch.version import __version__
from seclatch.watch.denial_selection import DenialSelection
from seclatch.watch.describe_denial import DenialDescriber
from seclatch.watch.host_identity import format_time
from seclatch.watch.open_sources import OpenSources
from seclatch.watch.process_contexts import identify_process
from seclatch.watch.stop_signals import StopSignals
from seclatch.watch.targets.log_target import LogTarget

_EPOCH_SECONDS = 1.0
_ALIVE_SECONDS = 60.0
_PAUSE_SECONDS = 0.05
"""After a report: what comes in a burst is taken together."""

_QUIET_SECONDS = 0.2
"""Without a line for so long, the audit log has no more of what came before."""

_MAX_LINES = 1000
"""Lines an epoch; what is beyond is counted in one event."""

_MAX_AUDITED = 10_000
"""Audit lines an epoch; likewise."""

_DESCRIBING_SECONDS = 5.0
_ENDING_SECONDS = 2.0
"""What is not selected and described in this time is counted; less after a signal to end."""

_MAX_LOOKUPS = 100


class WatchSession:
    """Takes, describes, selects, writes; `report` shows a message to the user."""

    def __init__(
        self,
        sources: OpenSources,
        describer: DenialDescriber,
        selection: DenialSelection,
        targets: Sequence[LogTarget],
        report: Callable[[str], None],
    ) -> None:
        self._sources = sources
        self._describer = describer
        self._selection = selection
        self._targets = list(targets)
        self._report = report
        self._audited: list[SeenDenial] = []
        self._unkept = 0

    def run(
        self,
        stop: StopSignals,
        seconds: float | None = None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Watch until one of the signals, for so long, or until `is_over`, asked each second.

        Raises OSError of a target.
        """
        poll = self._make_poll(stop)
        self._write_event("begin", text="; ".join(self._sources.misses))
        began = alive = epoch = time.monotonic()
        end = began + seconds if seconds is not None else None
        while not stop.arrived() and (end is None or time.monotonic() < end):
            poll.poll(max(0.0, epoch + _EPOCH_SECONDS - time.monotonic()) * 1000)
            if stop.take_hangup():
                self._reopen()
            self._take_events()
            now = time.monotonic()
            if now - epoch >= _EPOCH_SECONDS:
                epoch = now
                self._finish_epoch(stop)
                if is_over():
                    break
                if now - alive >= _ALIVE_SECONDS:
                    alive = now
                    self._write_event("alive")
            else:
                time.sleep(_PAUSE_SECONDS)
        if self._sources.audit:
            self._await_audit_lines()
        self._finish_epoch(stop)
        self._write_event("end")
        for target in self._targets:
            target.close()

    def _reopen(self) -> None:
        for target in self._targets:
            try:
                target.reopen()
            except SeclatchError as error:
                self._report(f"{error}; the file that was open is written further")

    def _make_poll(self, stop: StopSignals) -> select.poll:
        poll = select.poll()
        for source in (self._sources.kernel, self._sources.audit, stop):
            if source is not None:
                poll.register(source.fileno(), select.POLLIN)
        return poll

    def _take_events(self) -> None:
        """Look at new processes while they may still be there."""
        if self._sources.kernel:
            for process, details in self._sources.kernel.take_events()[:_MAX_LOOKUPS]:
                self._describer.notice(process, details)
        if self._sources.audit:
            for number, denial in enumerate(self._sources.audit.take()):
                self._keep_audited(denial, notice=number < _MAX_LOOKUPS)

    def _keep_audited(self, denial: SeenDenial, *, notice: bool) -> None:
        """Name the process by its start, too: a pid alone may be another one's by the next line."""
        if len(self._audited) >= _MAX_AUDITED:
            self._unkept += 1
            return
        process = identify_process(denial.process.pid)
        self._audited.append(dataclasses.replace(denial, process=process))
        if notice:
            self._describer.notice(process, denial.details)

    def _await_audit_lines(self) -> None:
        """Take what kauditd, a thread of the kernel, has not sent yet."""
        poll = select.poll()
        poll.register(self._sources.audit.fileno(), select.POLLIN)  # type: ignore[union-attr]
        end = time.monotonic() + _EPOCH_SECONDS
        while time.monotonic() < end and poll.poll(_QUIET_SECONDS * 1000):
            self._take_events()

    def _finish_epoch(self, stop: StopSignals) -> None:
        self._describer.begin_epoch()
        denials = _merge_equal(self._audited)
        self._audited = []
        if self._sources.kernel:
            denials += self._sources.kernel.take_counts()
        denials.sort(key=lambda denial: denial.first)
        self._report_lost(self._describe(denials, stop))
        for note in self._describer.take_notes():
            self._report(note)
        for target in self._targets:
            target.flush()
            for note in target.take_notes():
                self._report(note)
            failed, reason = target.take_failed()
            if failed:
                self._report(f"{failed} lines were not written to {target.name}: {reason}")

    def _describe(self, denials: list[SeenDenial], stop: StopSignals) -> int:
        """Write lines of what is selected; return how many denials there was no line for."""
        began, lines, rest = time.monotonic(), 0, 0
        for denial in denials:
            limit = _ENDING_SECONDS if stop.arrived() else _DESCRIBING_SECONDS
            late = time.monotonic() - began > limit
            if not late and not self._is_selected(denial):
                continue
            if late or lines >= _MAX_LINES:
                rest += denial.count
            elif line := self._describer.describe(denial):
                self._write(line)
                lines += 1
        return rest + self._describer.take_undecided()

    def _is_selected(self, denial: SeenDenial) -> bool:
        return self._selection.is_everything or self._selection.matches(
            self._describer.locate(denial)
        )

    def _report_lost(self, undescribed: int) -> None:
        if self._sources.kernel:
            undescribed += self._sources.kernel.take_uncounted()
        dropped = self._sources.audit.take_lost() if self._sources.audit else 0
        undescribed += self._unkept
        self._unkept = 0
        if undescribed:
            text = f"{undescribed} denials were only counted: too many at once"
            self._write_event("lost", text, undescribed)
            self._report(text)
        if dropped:
            text = "audit lines were lost: too many at once"
            self._write_event("lost", text, dropped)
            self._report(text)

    def _write_event(self, event: str, text: str = "", count: int = 0) -> None:
        self._write(
            WatchEvent(
                event=event,  # type: ignore[arg-type]
                time=format_time(time.time_ns()),
                host=self._describer.host,
                text=text,
                count=count,
                sees=self._sources.sees,
                selection=self._selection.words(),
                way=self._sources.name,
                source="audit" if self._sources.kernel is None else "ebpf",
                seclatch=__version__,
            )
        )

    def _write(self, line: LogLine) -> None:
        for target in self._targets:
            target.write(line)


def _merge_equal(denials: list[SeenDenial]) -> list[SeenDenial]:
    """Count equal audit lines of one epoch as one."""
    merged: dict[tuple[object, ...], SeenDenial] = {}
    for one in denials:
        key = (one.process, one.arch, one.number, one.answer)
        known = merged.get(key)
        merged[key] = (
            dataclasses.replace(known, count=known.count + 1, last=one.last) if known else one
        )
    return list(merged.values())
