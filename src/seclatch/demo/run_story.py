"""Run the demo's commands in a folder of their own and compare how they end."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from seclatch.demo.exit_program import write_exit_program
from seclatch.demo.story import FAILS, Step, list_steps

Print = Callable[[str], None]


def run_story(runtime: str, folder: Path, show: Print) -> list[str]:
    """Run all steps; return the commands that ended otherwise than the story expects.

    `folder` gets the profiles and recordings. What the commands print goes to standard output and
    error themselves. Raises OSError, SeclatchError.
    """
    (folder / "root").mkdir()
    write_exit_program(folder / "root/exit42")
    return [failed for step in list_steps(runtime) for failed in _run_step(step, folder, show)]


def _run_step(step: Step, folder: Path, show: Print) -> list[str]:
    show(f"\n# {step.sentence}")
    failed = []
    for command, expected in step.commands:
        show(f"$ seclatch {command}")
        status = _run(shlex.split(command), folder)
        if status:
            show(f"[exit status {status}]")
        if status != expected and not (expected == FAILS and status > 0):
            failed.append(f"seclatch {command}")
    return failed


def _run(words: list[str], folder: Path) -> int:
    """Run seclatch with these words, by this interpreter: it need not be in PATH."""
    seclatch = [sys.executable, "-m", "seclatch"]
    if "seclatch" in words:  # `record -- seclatch run`
        at = words.index("seclatch")
        words = [*words[:at], *seclatch, *words[at + 1 :]]
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}  # never a module of the current folder
    return subprocess.run([*seclatch, *words], cwd=folder, env=environment, check=False).returncode
