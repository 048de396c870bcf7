"""Find programs of this host and read their output."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

# Runtimes and daemons are in sbin, which a user's PATH may lack.
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


def find_program(name: str) -> Path | None:
    """Find a program on PATH or in the system's own directories."""
    found = shutil.which(name) or shutil.which(name, path=_SYSTEM_PATH)
    return Path(found).absolute() if found else None


def query_program(program: Path, *arguments: str, seconds: float = 10) -> str | None:
    """Return a program's stdout; None if it fails or takes too long."""
    try:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def take_first_line(text: str | None) -> str:
    """Return the first line of a text, "" for none."""
    return text.strip().splitlines()[0] if text and text.strip() else ""
