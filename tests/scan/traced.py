"""Trace the calls of programs: strace -f, with each line assigned to the executed file."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()")
_EXEC = re.compile(r'^(\d+) +execve\("((?:[^"\\]|\\.)*)"')
_BORN = re.compile(r" = (\d+)$")
_MAKES = {"clone", "clone3", "fork", "vfork"}

Calls = dict[str, set[str]]
"""By path of the executed file."""


def trace(
    command: list[str],
    log: Path,
    timeout: float = 60,
    environment: dict[str, str] | None = None,
    *,
    missing: str = "",
) -> Calls:
    """Run a command under strace; any exit status is accepted.

    `missing`: a call that fails as on a kernel that has none.
    """
    absent = [f"-einject={missing}:error=ENOSYS"] if missing else []
    subprocess.run(
        ["strace", "-f", "-qq", "-s256", "-esignal=none", *absent, "-o", str(log), "--", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=timeout,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **(environment or {})},
    )
    return read(log.read_text(errors="replace"))


def read(text: str) -> Calls:
    """Read a log. Calls before a process' first known exec belong to its parent's program."""
    lines = text.splitlines()
    parents = _parents(lines)
    images: dict[int, str] = {}
    calls: Calls = defaultdict(set)
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        pid, name = int(match[1]), match[2] or match[3]
        done = _EXEC.match(line)
        image = _image(pid, images, parents)
        if name == "execve":
            if image:
                calls[image].add(name)
            if done:
                images[-pid] = done[2]  # takes hold once it has returned 0
            if line.rstrip().endswith("= 0") and -pid in images:
                images[pid] = images[-pid]
        elif image:
            calls[image].add(name)
    return dict(calls)


def _image(pid: int, images: dict[int, str], parents: dict[int, int]) -> str:
    if pid not in images and pid in parents:
        images[pid] = _image(parents[pid], images, parents)
    return images.get(pid, "")


def _parents(lines: list[str]) -> dict[int, int]:
    parents: dict[int, int] = {}
    for line in lines:
        match = _LINE.match(line)
        born = _BORN.search(line)
        if match and born and (match[2] or match[3]) in _MAKES:
            parents[int(born[1])] = int(match[1])
    return parents
