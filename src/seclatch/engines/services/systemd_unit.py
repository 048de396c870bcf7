"""A systemd unit as steps of an installation: written, enabled, started, and all that undone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seclatch.engines.installation.file_change import (
    ChangeStep,
    FileChange,
    FileState,
    LinkChange,
    read_file,
)
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.installation.installed_latch import choose_owner
from seclatch.errors import SeclatchError

_RUNNING = Path("/run/systemd/system")  # sd_booted(3)
_SECONDS = 120


@dataclass(frozen=True)
class SystemctlStep:
    """A call of systemctl, and the one that undoes it."""

    unit: str
    words: tuple[str, ...]
    undoing: tuple[str, ...]

    def describe(self) -> str:
        """Return the command line."""
        return f"run systemctl {' '.join(self.words)}"

    def diff(self) -> list[str]:
        """Return nothing beyond the description."""
        return []

    def apply(self) -> None:
        """Call systemctl. Raise SeclatchError."""
        _run_systemctl(self.words, self.unit)

    def undo(self) -> None:
        """Call it with the words that undo it."""
        _run_systemctl(self.undoing, self.unit)


@dataclass(frozen=True)
class SystemdUnit:
    """A service of ours. `mark` is its first line, by which it is known; `command` writes it."""

    name: str
    purpose: str
    mark: str
    command: str

    @property
    def path(self) -> str:
        """Return the unit's path in a root directory."""
        return f"/etc/systemd/system/{self.name}"

    @property
    def link(self) -> str:
        """Return the link that enables it."""
        return f"/etc/systemd/system/multi-user.target.wants/{self.name}"

    def place(self, root: HostRoot, text: str, *, restart: bool = False) -> list[ChangeStep]:
        """Return the steps that write, enable and start it; `restart`: its program is replaced."""
        unit, link = root.resolve(self.path), root.prefix / self.link.lstrip("/")
        present = self._read_own(unit)
        wanted = FileState(text.encode(), 0o644, *choose_owner())
        steps: list[ChangeStep] = []
        if present is None or present.content != wanted.content:
            steps.append(FileChange(unit, present, wanted, self.purpose, shown=True))
        target = str(link.readlink()) if link.is_symlink() else None
        if target != self.path and link.parent.is_dir():
            steps.append(LinkChange(link, target, self.path))
        if (steps or restart) and is_booted(root):
            steps.append(SystemctlStep(self.name, ("daemon-reload",), ("daemon-reload",)))
            steps.append(SystemctlStep(self.name, ("restart", self.name), ("stop", self.name)))
        return steps

    def remove(self, root: HostRoot) -> list[ChangeStep]:
        """Return the steps that stop and remove it, if it is there."""
        unit, link = root.resolve(self.path), root.prefix / self.link.lstrip("/")
        present = self._read_own(unit)
        steps: list[ChangeStep] = []
        if present and is_booted(root):
            steps.append(SystemctlStep(self.name, ("stop", self.name), ("start", self.name)))
        if link.is_symlink():
            steps.append(LinkChange(link, str(link.readlink()), None))
        if present:
            steps.append(FileChange(unit, present, None, self.purpose))
        if present and is_booted(root):
            steps.append(SystemctlStep(self.name, ("daemon-reload",), ("daemon-reload",)))
        return steps

    def _read_own(self, unit: Path) -> FileState | None:
        """Read the unit. Raises SeclatchError for one that is not ours."""
        present = read_file(unit)
        if present and not present.content.startswith(self.mark.encode()):
            raise SeclatchError(
                f"changing {unit}: `{self.command}` has not written it",
                remedy="move it away, then run the command again",
            )
        return present


def quote_word(word: str) -> str:
    """Quote a word of a command line for systemd (systemd.service(5)): no specifier or variable."""
    if not word.isprintable():
        raise SeclatchError(
            f"writing the service: {word!r} has a control character", remedy="", status=2
        )
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    plain = all(sign.isalnum() or sign in "/-_.,:=@+" for sign in word) and word
    return word if plain else f'"{escaped}"'


def is_booted(root: HostRoot) -> bool:
    """Return whether this is the running system, and systemd runs it."""
    return root.is_host and _RUNNING.is_dir()


def _run_systemctl(words: Sequence[str], unit: str) -> None:
    program = shutil.which("systemctl") or "/usr/bin/systemctl"
    try:
        done = subprocess.run(
            [program, *words], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SeclatchError(f"systemctl {' '.join(words)}: {error}") from error
    if done.returncode:
        raise SeclatchError(
            f"systemctl {' '.join(words)}: {done.stderr.strip()}",
            remedy=f"journalctl -u {unit} has its messages",
        )
