"""Versions of the engines and runtimes that took part: read from the programs, and cached.

A recorder often runs as root, and a recording may hold paths that another user chose. So only
programs of a known name are run, and only files that no user but root or the recorder's own could
have put there.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec

from seclatch.model.recording.origin import Software
from seclatch.model.stage import Stage
from seclatch.system.cache import read_cached, write_cached

_HOST_STAGES = (Stage.CLIENT, Stage.ENGINE, Stage.SHIM, Stage.RUNTIME)
_OPTIONS = dict.fromkeys(
    (
        "docker",
        "dockerd",
        "containerd",
        "podman",
        "conmon",
        "ctr",
        "nerdctl",
        "crictl",
        "crio",
        "runc",
        "crun",
        "youki",
        "runsc",
        "kata-runtime",
    ),
    "--version",
) | {"containerd-shim-runc-v2": "-v"}
_QUERY_SECONDS = 3
_MAX_LINE = 200
_CACHE = "versions.json"


def read_versions(programs: Iterable[tuple[Stage, str]]) -> list[Software]:
    """Return the versions of these programs, given by stage and path; unknown names are left out.

    A path of another mount namespace may name another file on this host.
    """
    known = read_cached(_CACHE, dict[str, str]) or {}
    before = dict(known)
    found = []
    for stage, path in sorted(set(programs), key=lambda program: (program[0].value, program[1])):
        name = Path(path).name
        if stage in _HOST_STAGES and name in _OPTIONS:
            version = _query_version(path, known)
            found.append(Software(stage=stage.value, name=name, path=path, version=version))
    if known != before:
        write_cached(_CACHE, msgspec.json.encode(known))
    return found


def _query_version(path: str, known: dict[str, str]) -> str:
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        real = Path(path).resolve(strict=True)
        if path.startswith("/") and _is_trusted(real):
            status = real.stat()
            key = f"{real} {status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
            if key not in known:
                known[key] = _run_program(real, _OPTIONS[Path(path).name])
            return known[key]
    return ""


def _is_trusted(program: Path) -> bool:
    """Return whether only root and this user can change the file or replace it."""
    if not stat.S_ISREG(program.stat().st_mode):
        return False
    for path in (program, *program.parents):
        status = path.stat()
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
            return False
    return True


def _run_program(program: Path, option: str) -> str:
    import subprocess

    try:
        done = subprocess.run(
            [program, option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_QUERY_SECONDS,
            check=False,
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "LC_ALL": "C"},
        )
    except subprocess.SubprocessError:
        return ""
    lines = done.stdout.decode("utf-8", "backslashreplace").split("\n")
    return next((line.strip()[:_MAX_LINE] for line in lines if line.strip()), "")
