"""The interface of ready conditions, and what they can look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from seclatch.model.stage import Stage
from seclatch.recording.backends.backend import RecordingBackend
from seclatch.recording.trace.assign_stages import assign_stages
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace, TracedProcess


@dataclass(frozen=True, slots=True)
class EngineContainer:
    """A recorded container, and the engine's client with its options to ask about it."""

    client: tuple[str, ...]
    identifier: str


class ReadyView(Protocol):
    """What a condition looks at: a container, or the recorded command."""

    @property
    def containers(self) -> tuple[EngineContainer, ...]:
        """Return the containers that their engines can be asked about."""

    def list_pids(self) -> list[int]:
        """Return the living processes of the program."""


@dataclass(frozen=True, slots=True)
class RecordedView:
    """The recording so far: what belongs to the recorded command or container."""

    backend: RecordingBackend
    trace: Trace
    containers: tuple[EngineContainer, ...] = ()

    def list_pids(self) -> list[int]:
        """Return the living processes of the program."""
        return [process.pid for process, _ in self.list_programs()]

    def list_programs(self) -> Iterator[tuple[TracedProcess, Segment]]:
        """Yield the living processes of the program, each with its last segment."""
        stages = assign_stages(self.trace).stages
        for number in self.trace.living:
            process = self.trace.processes[number]
            last = self.trace.segments[process.segments[-1]]
            if stages[last.id] is Stage.PROGRAM and last.kind != EventKind.ROOT:
                yield process, last


class ReadyCondition(ABC):
    """One condition. `text` is as the user gave it.

    Call `begin` before a command is started, `enter_child` in its process before its exec, and
    `close` at the end; `is_met` in between, until it returns True.
    """

    notify: Callable[[str], None] = staticmethod(lambda _: None)
    """Gets messages for the user."""

    def __init__(self, text: str) -> None:
        self.text = text

    def begin(self, *, client: bool) -> None:  # noqa: B027 (most conditions need nothing)
        """Prepare for a command; `client`: it is an engine's, and starts a container."""

    def enter_child(self) -> None:  # noqa: B027
        """Change the process that will exec the command."""

    @abstractmethod
    def is_met(self, view: ReadyView) -> bool:
        """Return whether the program is ready."""

    def close(self) -> None:  # noqa: B027
        """Release what is held."""
