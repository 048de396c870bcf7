"""Start the installed recorder of annotated containers, as a host's service manager does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from seclatch.engines.services.annotation_recorder import PROGRAM
from seclatch.errors import SeclatchError
from seclatch.system.recorder_client import DEFAULT_SOCKET, ask_recorder
from tests.engines.host import PrivateHost, wait_until
from tests.engines.installing import Administrator

INSTALL = ("--record-annotations",)


def install_recorder(seclatch: Administrator, engine: str, *words: str) -> None:
    """Install with annotations heeded, and have the recorder run."""
    seclatch.must("install", engine, *INSTALL, *words)
    if not ask_status(seclatch.host):
        start_recorder(seclatch.host)


def start_recorder(host: PrivateHost, *words: str | os.PathLike[str]) -> subprocess.Popen[bytes]:
    """Start the recorder, or another program, and wait until the recorder answers."""
    log = host.path("/run/recorder.output")
    process = host.spawn(*(words or (PROGRAM,)), log=log)
    wait_until(lambda: ask_status(host), f"the recorder: {log.read_text()}")
    return process


def ask_status(host: PrivateHost) -> dict[str, Any]:
    """Return what the recorder answers; {} if none does."""
    with contextlib.suppress(SeclatchError, json.JSONDecodeError):
        status: dict[str, Any] = ask_recorder(str(host.path(DEFAULT_SOCKET)), "status")
        return status
    return {}


def stop_recorder(host: PrivateHost, number: signal.Signals = signal.SIGTERM) -> None:
    """End the recorder and wait for its end."""
    for pid in list_recorders(host):
        os.kill(pid, number)
    wait_until(lambda: not list_recorders(host), "the recorder's end", 60)


def list_recorders(host: PrivateHost) -> list[int]:
    """Return the pids, outside of the private host, of the recorders in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            inside = (process / "root").stat() == host.path("/").stat()
        except OSError:
            continue
        if inside and PROGRAM.encode() in words[:3] and b"-IS" in words:
            found.append(int(process.name))
    return [pid for pid in found if _read_parent(pid) not in found]  # without its children


def _read_parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(
            Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()[1]
        )
    return 0
