"""What the installer asks of an engine, and the words both use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from seclatch.engines.file_step import ChangeStep, FileChange
from seclatch.engines.host_root import HostRoot
from seclatch.errors import InputError, SeclatchError
from seclatch.model.recorder_limits import RecorderLimits

# The name under which every engine knows the latch: `docker run --runtime seclatch`.
NAME = "seclatch"

# Root-owned and outside of any virtual environment: an engine runs what is here as root, at
# every start, for longer than the environment that it came from may exist.
LATCHES = "/usr/local/lib/seclatch"

# The words of native/runtime.c, mode_find.
MODES = ("auto", "suspend", "gate", "refuse", "plain")


@dataclass(frozen=True)
class LatchRegistration:
    """What is to be registered: the latch for `runtime`, and whether it becomes the default."""

    engine: str
    runtime: str
    default: bool = False
    mode: str = "auto"
    recorder: RecorderLimits | None = (
        None  # None: annotations that ask for a recording are not heeded
    )

    @property
    def directory(self) -> str:
        """The directory of this engine's latch."""
        return f"{LATCHES}/{self.engine}"

    @property
    def front(self) -> str:
        """The latch's path; its base name is the runtime's own, because engines look at it.

        Podman grants `--cgroups=disabled` by that name, and runc prints its own in messages.
        """
        return f"{self.directory}/{self.runtime}"


class ContainerEngine(Protocol):
    """One engine's configuration: pure functions on its text, and what surrounds the change."""

    @property
    def root(self) -> HostRoot:
        """The tree whose engine this is."""

    @property
    def name(self) -> str:
        """The engine's name on the command line."""

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The runtimes it can have, its own favourite first."""

    @property
    def config(self) -> str:
        """The configuration file's absolute path."""

    def parse(self, text: str) -> dict[str, Any]:
        """Return what a configuration says; refuse one that the engine could not read."""

    def register(self, text: str | None, wish: LatchRegistration) -> str | None:
        """Return the text with the latch registered; `text` has no trace of us, None is no file.

        The same text means that this engine is not to be told by its configuration.
        """

    def unregister(self, text: str, original: str | None) -> str | None:
        """Return the text with only what is ours taken out; None when nothing is left.

        `original` is the text before installation (None: there was no file).
        """

    def check(self, after: str | None) -> None:
        """Refuse, before the first write, what the engine would not accept."""

    def live(self, change: FileChange, wish: LatchRegistration | None) -> ChangeStep:
        """Return the configuration's change with what makes a running engine take it at once.

        `wish` is None when the latch is being removed.
        """

    def notes(self, wish: LatchRegistration, text: str | None) -> list[str]:
        """Return what the user should know or do now."""

    def farewell(self) -> list[str]:
        """Return what the user should know or do after the removal."""


def is_own_latch(engine: str, path: object) -> bool:
    """Whether a registered runtime's path is one of this engine's latches."""
    return isinstance(path, str) and path.startswith(f"{LATCHES}/{engine}/")


def make_conflict_error(source: str, place: str) -> SeclatchError:
    """Make the error for a runtime that has our name and is not ours."""
    return InputError(
        source,
        place,
        f"a runtime called {NAME} is there that this command did not register",
        remedy="rename or remove that entry first; it is left as it is",
    )
