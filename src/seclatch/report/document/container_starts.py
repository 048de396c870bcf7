"""How each container's program came to be, and where the filter begins. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from seclatch.model.recording.call_matrix import list_entries
from seclatch.model.recording.recording import RecordedContainer, RecordedSession, Recording
from seclatch.model.stage import Stage
from seclatch.report.document.process_history import FILTERED, SUSPENDED, UNFILTERED, ProcessHistory
from seclatch.report.document.process_names import command_line, list_some
from seclatch.report.document.report_document import Section, Start

INIT, UNDER, PROGRAM = Stage.INIT.value, Stage.FILTERED_INIT.value, Stage.PROGRAM.value


def list_starts(recording: Recording, made: dict[int, ProcessHistory]) -> list[Start]:
    """Tell each session's story, in the order in which they were entered."""
    containers = {each.id: each for each in recording.containers}
    return [
        _Story(recording, session, containers.get(session.container), made).start()
        for session in recording.sessions
        if session.process in made
    ]


class _Story:
    def __init__(
        self,
        recording: Recording,
        session: RecordedSession,
        container: RecordedContainer | None,
        made: dict[int, ProcessHistory],
    ) -> None:
        self._recording = recording
        self._session = session
        self._container = container
        self._history = made[session.process]
        self._members = {each.id for each in recording.processes if each.session == session.id} | {
            session.process
        }
        runtime = container.runtime if container else ""
        self._runtime = PurePosixPath(runtime).name[:60] or "the runtime"
        self._loaded = self._first("filter")
        image = next((each for each in self._history.process.images if each.stage == PROGRAM), None)
        self._executed = image.time if image else None
        self._program = list(image.argv) or [image.exe] if image else []
        self._latched = self._was_latched()
        self._binds = self._when_binding()

    def start(self) -> Start:
        """Put it together."""
        outcome = self._outcome()
        return Start(
            session=self._session.id,
            container=self._container.title if self._container else "",
            image=self._container.image.name if self._container and self._container.image else "",
            runtime=self._runtime,
            joined=self._session.joined,
            process=self._session.process,
            program=self._program,
            status=self._history.process.status,
            outcome=outcome,
            headline=self._headline(outcome),
            loaded=self._loaded,
            binds=self._binds,
            executed=self._executed,
            sections=self._sections(),
            only_runtime=sorted(self._names(UNDER) - self._names(PROGRAM)),
        )

    def _first(self, kind: str) -> float | None:
        """When it first happened to the process, before its program at the latest."""
        for event in self._history.events:
            if event.kind == kind and event.stage in (INIT, UNDER):
                return event.time
        return None

    def _was_latched(self) -> bool:
        return self._loaded is not None and self._history.state_at(self._loaded).latched

    def _when_binding(self) -> float | None:
        if self._loaded is None or not self._latched:
            return self._loaded
        for event in self._history.events:
            if event.kind == "released" and event.time >= self._loaded:
                return event.time
        return None

    def _outcome(self) -> str:
        if self._history.process.found_running:
            return "found"
        if self._executed is None:
            return "refused"
        if self._loaded is None:
            born = self._history.spans[0].state
            return "inherited" if born != UNFILTERED else "unfiltered"
        return "latched" if self._latched else "bound-runtime"

    def _headline(self, outcome: str) -> str:
        program = command_line(self._program[:1], 60) or "The program"
        return {
            "latched": f"The filter binds {program} from its first instruction. "
            f"Nothing of {self._runtime} was under it.",
            "bound-runtime": f"The filter took hold inside {self._runtime}, "
            f"{self._count(UNDER):,} calls before {program}.",
            "refused": self._refusal(),
            "found": f"{program} ran already, {self._found_state()}.",
            "inherited": f"{program} inherited a filter that was there before.",
            "unfiltered": f"No filter was loaded: {program} runs without one.",
        }[outcome]

    def _found_state(self) -> str:
        bound = self._history.spans[-1].state == FILTERED
        return "under its filter" if bound else "without a filter"

    def _refusal(self) -> str:
        if denied := self._denied(UNDER):
            return (
                f"The filter took hold inside {self._runtime} and denied it {list_some(denied)}. "
                "The program never started."
            )
        state = "after" if self._loaded is not None else "before"
        return f"The program never started: {self._runtime} ended {state} the filter was loaded."

    def _sections(self) -> list[Section]:
        runtime = f"{self._runtime} and its init"
        first = Section(
            name=runtime if self._loaded is not None else f"{runtime}, no filter",
            state=UNFILTERED,
            stages=[Stage.RUNTIME.value, INIT, Stage.HOOK.value],
            time=None,
            calls=sum(map(self._count, (Stage.RUNTIME.value, INIT, Stage.HOOK.value))),
            denied=self._denied(INIT),
        )
        sections = [] if self._history.process.found_running else [first]
        if self._loaded is not None:
            sections.append(
                Section(
                    name=f"{self._runtime} init, filter loaded",
                    state=SUSPENDED if self._latched else FILTERED,
                    stages=[UNDER],
                    time=self._loaded,
                    calls=self._count(UNDER),
                    denied=self._denied(UNDER),
                    begins=not self._latched,
                )
            )
        if self._executed is not None:
            bound = self._history.state == FILTERED
            sections.append(
                Section(
                    name=command_line(self._program, 80),
                    state=FILTERED if bound else UNFILTERED,
                    stages=[PROGRAM],
                    time=self._executed,
                    calls=self._count(PROGRAM),
                    denied=self._denied(PROGRAM),
                    begins=self._latched,
                )
            )
        return sections

    def _count(self, stage: str) -> int:
        return sum(
            each.count
            for each in list_entries(self._recording)
            if each.stage == stage and each.process in self._members
        )

    def _denied(self, stage: str) -> list[str]:
        return sorted(
            {
                each.name or f"#{each.number}"
                for each in self._recording.denials
                if each.stage == stage and each.process in self._members
            }
        )

    def _names(self, stage: str) -> set[str]:
        return {
            each.name or f"#{each.number}"
            for each in list_entries(self._recording)
            if each.stage == stage and each.process in self._members
        }
