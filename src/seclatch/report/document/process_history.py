"""Each process' life in stages and states, from the events of a recording. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from seclatch.model.recording.recording import RecordedEvent, RecordedProcess, Recording
from seclatch.report.document.report_document import Span

UNFILTERED, SUSPENDED, FILTERED = "unfiltered", "suspended", "filtered"


@dataclass(slots=True)
class ProcessHistory:
    """One process: its spans, gapless from birth to end, and its events in order."""

    process: RecordedProcess
    begin: float
    end: float
    spans: list[Span] = field(default_factory=list)
    events: list[RecordedEvent] = field(default_factory=list)

    @property
    def stages(self) -> list[str]:
        """The stages that it went through, each once."""
        return list(dict.fromkeys(span.stage for span in self.spans))

    @property
    def stage(self) -> str:
        """The stage that it ended in."""
        return self.spans[-1].stage

    @property
    def state(self) -> str:
        """The state that it ended in."""
        return self.spans[-1].state

    def state_at(self, time: float) -> Span:
        """Return the span that contains a moment; at an edge, the later one."""
        return next((each for each in reversed(self.spans) if each.begin <= time), self.spans[0])


@dataclass(slots=True)
class _Now:
    """How a process stands at a moment: filters of its main thread, lifted or not."""

    stage: str
    since: float
    filters: int = 0
    lifted: bool = False

    @property
    def state(self) -> str:
        if not self.filters:
            return UNFILTERED
        return SUSPENDED if self.lifted else FILTERED


def make_histories(recording: Recording) -> dict[int, ProcessHistory]:
    """Make every process' history, by its id. A merged recording has none."""
    return _HistoryReader(recording).read()


class _HistoryReader:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._made: dict[int, ProcessHistory] = {}
        self._now: dict[int, _Now] = {}
        self._born_lifted = _born_lifted(recording)
        end = max([recording.duration, *(event.time for event in recording.events)])
        for process in recording.processes:
            last = end if process.ended is None else process.ended
            begin = 0.0 if process.found_running else process.began
            self._made[process.id] = ProcessHistory(process, begin, max(begin, last))
            self._now[process.id] = _Now(_first_stage(process), begin)
        for event in recording.events:  # what was found had its filters from the beginning on
            if event.kind == "found" and event.process in self._now:
                self._now[event.process].filters = event.filters

    def read(self) -> dict[int, ProcessHistory]:
        # In order of time: a child's birth asks how its parent stands at that moment.
        for event in sorted(self._recording.events, key=lambda event: event.time):
            if event.process in self._made:
                self._made[event.process].events.append(event)
                self._take(event)
        for id_, history in self._made.items():
            self._close(id_, history.end)
        return self._made

    def _take(self, event: RecordedEvent) -> None:
        history = self._made[event.process]
        now = self._now[event.process]
        before = (now.stage, now.filters, now.lifted)
        stage, filters, lifted = event.stage, now.filters, now.lifted
        # Seccomp is a matter of threads; a process is shown as its main one. An exec leaves one.
        main = event.thread == history.process.pid or event.kind == "exec"
        if event.kind == "fork":
            filters = event.filters
            lifted = self._is_born_lifted(history.process)
        elif main and event.kind in ("exec", "filter", "joined"):
            filters = event.filters
        elif main and event.kind in ("lifted", "released"):
            lifted = event.kind == "lifted"
        if event.kind == "exit" or not main:
            stage = now.stage
        if (stage, filters, lifted) != before:
            self._close(event.process, event.time)
            self._now[event.process] = _Now(stage, max(now.since, event.time), filters, lifted)

    def _is_born_lifted(self, process: RecordedProcess) -> bool:
        """As it was seen; else as the parent is, since PTRACE_O_TRACEFORK hands it on."""
        if process.id in self._born_lifted:
            return self._born_lifted[process.id]
        parent = self._now.get(process.parent) if process.parent is not None else None
        return parent is not None and parent.lifted

    def _close(self, id_: int, time: float) -> None:
        now, spans = self._now[id_], self._made[id_].spans
        if time > now.since or (not spans and time >= self._made[id_].end):
            spans.append(
                Span(
                    begin=now.since,
                    end=max(time, now.since),
                    stage=now.stage,
                    state=now.state,
                    latched=now.lifted,
                )
            )
        elif not spans and self._made[id_].end <= now.since:
            spans.append(Span(begin=now.since, end=now.since, stage=now.stage, state=now.state))


def _born_lifted(recording: Recording) -> dict[int, bool]:
    """Whether seccomp was suspended for a process at its birth, where that was seen."""
    contexts = recording.contexts
    return {
        process.id: contexts[process.contexts[0].context].suspended
        for process in recording.processes
        if process.contexts and 0 <= process.contexts[0].context < len(contexts)
    }


def _first_stage(process: RecordedProcess) -> str:
    return process.images[0].stage if process.images else "client"
