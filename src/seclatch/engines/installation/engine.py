"""The interface of an engine to the installer, and the names that both use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from seclatch.engines.installation.file_change import ChangeStep, FileChange
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import InputError, SeclatchError
from seclatch.model.recorder_limits import RecorderLimits

# The name under which every engine knows the latch: `docker run --runtime seclatch`.
NAME = "seclatch"

# Root-owned and outside of any virtual environment: an engine runs what is here as root, at
# every start, for longer than the environment that it came from may exist.
LATCHES = "/usr/local/lib/seclatch"

# The names in native/runtime.c, mode_find.
MODES = ("auto", "suspend", "gate", "refuse", "plain")

# Configuration files by path inside the root; None where there is no file.
ConfigTexts = Mapping[str, str | None]


@dataclass(frozen=True)
class LatchRegistration:
    """What to register: the latch for `runtime`, and whether it becomes the default."""

    engine: str
    runtime: str
    default: bool = False
    mode: str = "auto"
    recorder: RecorderLimits | None = (
        None  # None: annotations that ask for a recording are not heeded
    )
    running_profiles: str = ""
    """The directory of running profiles; "": annotations that ask for one are not heeded."""
    keeps_programs: bool = False
    """The host's recorder and supervisor stay as they are: this Python is an agent's."""

    @property
    def directory(self) -> str:
        """Return the directory of this engine's latch."""
        return f"{LATCHES}/{self.engine}"

    @property
    def front(self) -> str:
        """Return the latch's path; its base name is the runtime's own, because engines read it.

        Podman grants `--cgroups=disabled` by that name, and runc prints its own in messages.
        """
        return f"{self.directory}/{self.runtime}"


class ContainerEngine(Protocol):
    """One engine's configuration: pure functions on its text, and the steps around the change."""

    @property
    def root(self) -> HostRoot:
        """Return the root directory of this engine."""

    @property
    def name(self) -> str:
        """Return the engine's name on the command line."""

    @property
    def runtimes(self) -> tuple[str, ...]:
        """Return the runtimes that it can use, its own default first."""

    @property
    def runtime_directories(self) -> tuple[str, ...]:
        """Return where runtimes are that it brings itself, before those on PATH."""

    @property
    def config(self) -> str:
        """Return the main configuration file's absolute path."""

    def list_configs(self) -> list[str]:
        """List the files that installing may change now, `config` first."""

    def parse(self, path: str, text: str) -> dict[str, Any]:
        """Parse a configuration; refuse one that the engine could not read."""

    def register(self, texts: ConfigTexts, wish: LatchRegistration) -> ConfigTexts:
        """Return the texts to be, with the latch registered, in the order of their writing.

        `texts` has those of `list_configs` without entries of ours. What is not returned stays as
        it is in `texts`; all unchanged means that this engine is not configured in these files.
        """

    def unregister(self, path: str, text: str, original: str | None) -> str | None:
        """Return the text with only our entries removed; None if nothing is left.

        `original` is the text before installation (None: there was no file).
        """

    def check(self, after: ConfigTexts) -> None:
        """Refuse, before the first write, a configuration that the engine would not accept."""

    def make_live_steps(
        self, changes: Sequence[FileChange], wish: LatchRegistration | None
    ) -> list[ChangeStep]:
        """Return the configuration's changes, with what makes a running engine take them at once.

        Steps that check the result go with them; they also check if there is nothing to change.
        `wish` is None when the latch is being removed.
        """

    def list_notes(self, wish: LatchRegistration, after: ConfigTexts) -> list[str]:
        """Return what the user should know or do after the installation."""

    def list_removal_notes(self) -> list[str]:
        """Return what the user should know or do after the removal."""


def is_own_latch(engine: str, path: object) -> bool:
    """Return whether a registered runtime's path is one of this engine's latches."""
    return isinstance(path, str) and path.startswith(f"{LATCHES}/{engine}/")


def make_conflict_error(source: str, place: str) -> SeclatchError:
    """Make the error for a runtime that has the latch's name and another path."""
    return InputError(
        source,
        place,
        f"a runtime called {NAME} is there that this command did not register",
        remedy="rename or remove that entry first; it is left as it is",
    )
