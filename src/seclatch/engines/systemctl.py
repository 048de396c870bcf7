"""Calls of systemctl as steps of an installation."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seclatch.engines.host_root import HostRoot
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
