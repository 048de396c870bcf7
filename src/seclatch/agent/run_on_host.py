"""Run a program of the host, also from a container that has the host's root mounted."""

from __future__ import annotations

import subprocess

from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import clip_printable

_SECONDS = 120


def run_on_host(
    root: HostRoot, name: str, *words: str, data: bytes = b"", statuses: tuple[int, ...] = (0,)
) -> int:
    """Run a program by name; return its exit status, one of `statuses`. Raises SeclatchError."""
    program = root.find_program(name)
    if program is None:
        raise SeclatchError(f"running {name} on the host: there is none")
    shown = f"running `{name} {' '.join(words)}` on the host"
    try:
        done = subprocess.run(
            root.command(program, *words),
            input=data,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SeclatchError(f"{shown}: {error}") from error
    if done.returncode not in statuses:
        said = clip_printable(done.stderr.decode(errors="replace").strip()[-500:], 500)
        raise SeclatchError(f"{shown}: status {done.returncode}: {said}")
    return done.returncode
