"""Start a latched container through an engine, and remove what that took."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from seclatch.engines.installation.engine import LATCHES
from seclatch.errors import SeclatchError
from seclatch.host.host_check import CheckState, HostCheck
from seclatch.host.runtime_support import DENIED_TO_RUNTIMES
from seclatch.runtime.container_rootfs import make_minimal_rootfs

SECONDS = 60
_K3S = "/run/k3s/containerd/containerd.sock"
_SOCKETS = {"crio": "/var/run/crio/crio.sock", "k3s": _K3S, "rke2": _K3S}
PROBE = ("/bin/grep", "^Seccomp:", "/proc/self/status")

Command = list[str | Path]


def find_daemon_fault(engine: str) -> str:
    """Say why an engine's daemon does not answer; "" if it does, or there is none."""
    if engine == "containerd":
        # ctr would wait for a socket that is not there.
        socket = choose_containerd_socket()
        return "" if Path(socket).is_socket() else f"no socket at {socket}"
    if engine in _SOCKETS:
        socket = _SOCKETS[engine]
        return "" if Path(socket).is_socket() else f"no socket at {socket}"
    if engine == "podman":
        return ""
    done = _run(["docker", "version", "--format", "{{.Server.Version}}"])
    return "" if done.returncode == 0 else _last_line(done) or f"status {done.returncode}"


def choose_containerd_socket() -> str:
    """Return containerd's socket, as ctr finds it."""
    return os.environ.get("CONTAINERD_ADDRESS") or "/run/containerd/containerd.sock"


def try_engine(engine: str, runtime: str) -> HostCheck:
    """Start a container under a profile that denies the runtime's calls; check its seccomp mode."""
    name = f"a latched container ({engine})"
    if os.geteuid() != 0:
        return HostCheck(name, CheckState.NOTE, "not tried without root", "sudo seclatch doctor")
    with tempfile.TemporaryDirectory(prefix="seclatch-") as folder, contextlib.ExitStack() as stack:
        profile = Path(folder) / "profile.json"
        profile.write_text(json.dumps(DENIED_TO_RUNTIMES))
        try:
            command = _PREPARE[engine](Path(folder), profile, runtime, stack)
        except (SeclatchError, OSError) as error:
            return HostCheck(name, CheckState.NOTE, f"not tried: {error}")
        done = _run(command)
        if engine == "containerd" and not done.stdout + done.stderr:
            done = _run(command)  # ctr may end before it has copied what a short container wrote
    if done.returncode == 0 and done.stdout.split() == ["Seccomp:", "2"]:
        return HostCheck(name, CheckState.OK, "boots with execve denied, and is under its filter")
    return HostCheck(
        name,
        CheckState.FAIL,
        _last_line(done) or f"status {done.returncode}",
        f"seclatch explain -- {engine if engine != 'containerd' else 'ctr'} run … names the cause",
    )


def _prepare_docker(
    folder: Path, profile: Path, runtime: str, stack: contextlib.ExitStack
) -> Command:
    """Import the minimal root directory as an image of a name that no other has."""
    image = f"seclatch-doctor-{os.getpid()}"
    archive = folder / "root.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(make_minimal_rootfs(), arcname=".")
    imported = _run(["docker", "import", archive, image])
    if imported.returncode:
        raise SeclatchError(f"docker import: {_last_line(imported)}")
    stack.callback(_run, ["docker", "rmi", image])
    security = ["--security-opt", f"seccomp={profile}"]
    options = ["--rm", "--network", "none", "--pull", "never", "--runtime", "seclatch", *security]
    return ["docker", "run", *options, image, *PROBE]


def _prepare_podman(
    folder: Path, profile: Path, runtime: str, stack: contextlib.ExitStack
) -> Command:
    command: Command = ["podman", "--runtime", "seclatch", "run", "--rm", "--network", "none"]
    command += ["--security-opt", f"seccomp={profile}"]
    return [*command, "--rootfs", _copy_root(folder), *PROBE]


def _prepare_containerd(
    folder: Path, profile: Path, runtime: str, stack: contextlib.ExitStack
) -> Command:
    front = f"{LATCHES}/containerd/{runtime}"
    command: Command = ["ctr", "run", "--rm", "--allow-new-privs", "--runc-binary", front]
    command += ["--seccomp", "--seccomp-profile", profile]
    return [*command, "--rootfs", _copy_root(folder), f"seclatch-doctor-{os.getpid()}", *PROBE]


_PREPARE: dict[str, Callable[[Path, Path, str, contextlib.ExitStack], Command]] = {
    "docker": _prepare_docker,
    "podman": _prepare_podman,
    "containerd": _prepare_containerd,
}


def _copy_root(folder: Path) -> Path:
    """Copy the minimal root directory, in which the engine makes files."""
    return Path(shutil.copytree(make_minimal_rootfs(), folder / "root", symlinks=True))


def _run(command: Command) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; what cannot be run, or takes too long, is status 125."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 125, "", f"{command[0]}: {error.strerror}")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 125, "", f"no end within {SECONDS} seconds")


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = list(_lines_that_say_something(done.stderr))
    return lines[-1] if lines else ""


def _lines_that_say_something(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.strip() and not line.startswith(("See '", "Run '")):
            yield line.strip()
