"""Install the recorder of annotated containers: a root-owned program, its limits and its service.

One recorder serves all engines of a host. The latch looks for `RUNTIME.record`, a link to the
recorder's socket. Without that link annotations are ignored: they are heeded only after
`install --record-annotations`; with the last link the recorder goes.

See docs/decisions/0016 (recording by annotation) and 0145 (one recorder a node).
"""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

import seclatch
from seclatch.engines.installation import installed_latch
from seclatch.engines.installation.engine import LATCHES, LatchRegistration
from seclatch.engines.installation.file_change import ChangeStep, FileChange, FileState, read_file
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.services import recorder_service
from seclatch.errors import SeclatchError
from seclatch.model.recorder_limits import RecorderLimits, decode_limits
from seclatch.system.recorder_client import DEFAULT_SOCKET, ask_recorder

DIRECTORY = f"{LATCHES}/recorder"
PROGRAM, LIMITS = f"{DIRECTORY}/recorder", f"{DIRECTORY}/recorder.json"
# Before there was one recorder a node, each engine had its own, which the latch started.
FORMER_NAMES = ("recorder", "recorder.json")
RECORDINGS = "*.json.gz"
_ENGINES = ("docker", "podman", "containerd", "crio", "k3s", "rke2")
_PURPOSES = {PROGRAM: "the recorder of annotated containers", LIMITS: "what it may take"}
_FORMER_PURPOSE = "the recorder of a former installation"
_SECONDS = 20
_MAX_SHEBANG = 127  # Linux before 5.1 (BINPRM_BUF_SIZE)
# Files other than recordings that recorders leave in their directory.
_TRACES = (".slot-*", ".recorder", ".running-*", "log", "log.old")

SCRIPT = """\
#!{python} -IS
# Written by `seclatch install --record-annotations`: records annotated containers for the latch.
# Without the site module: no .pth file, sitecustomize or user's directory has a say in what root
# executes.
import sys

sys.path += {directories}

from seclatch.process.container_images import find_container_image
from seclatch.process.find_pod import find_pod
from seclatch.recording.annotated.node_recorder import main

raise SystemExit(main(__file__, find_container_image, find_pod))
"""

MODULES = (
    "seclatch.recording.annotated.node_recorder",
    "seclatch.process.container_images",
    "seclatch.process.find_pod",
)

_LIST = """
import json, sys
sys.path += {directories}
import {modules}
files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
print(json.dumps(sorted({{file for file in files if file}})))
"""


def place_recorder(root: HostRoot, wish: LatchRegistration) -> list[ChangeStep]:
    """Return the steps that put the recorder, its limits and service in place, or remove them."""
    limits = wish.recorder
    if limits is None:
        return remove_recorder(root, wish.engine)
    if wish.keeps_programs and is_installed(root):
        return []
    wanted = {LIMITS: (limits.encode(), 0o644)}
    refuse_unsafe_directory(root, limits)
    if not wish.keeps_programs:
        refuse_unsafe_python(root, MODULES)
        wanted = {PROGRAM: (make_script(), 0o755), **wanted}
    steps: list[ChangeStep] = list(_remove_former(root, wish.engine))
    changed = False
    for name, (content, mode) in wanted.items():
        path = root.resolve(name)
        present, state = read_file(path), FileState(content, mode, *installed_latch.choose_owner())
        if present is None or not installed_latch.is_as_wanted(present, state):
            steps.append(FileChange(path, present, state, _PURPOSES[name]))
            changed = True
    if wish.keeps_programs:
        return steps
    return [*steps, *recorder_service.place_service(root, PROGRAM, limits, changed=changed)]


def remove_recorder(root: HostRoot, engine: str) -> list[ChangeStep]:
    """Return the steps that remove what no other engine needs, and what recorders left."""
    steps: list[ChangeStep] = list(_remove_former(root, engine))
    if list_other_engines(root, engine):
        return steps
    limits = read_limits(root)
    steps += recorder_service.remove_service(root)
    for name, purpose in _PURPOSES.items():
        path = root.resolve(name)
        if present := read_file(path):
            steps.append(FileChange(path, present, None, purpose))
    if limits:
        steps += remove_recorder_files(root, limits)
    return steps


def _remove_former(root: HostRoot, engine: str) -> Iterator[FileChange]:
    for name in FORMER_NAMES:
        path = root.resolve(f"{LATCHES}/{engine}/{name}")
        if present := read_file(path):
            yield FileChange(path, present, None, _FORMER_PURPOSE)


def is_installed(root: HostRoot) -> bool:
    """Return whether the host has a recorder of its own, with its limits.

    Limits without a program are those of a recorder in a container (`seclatch record serve`).
    """
    return read_file(root.resolve(PROGRAM)) is not None


def heeds_annotations(root: HostRoot, engine: str) -> bool:
    """Return whether the recorder is enabled for an engine."""
    directory = root.resolve(f"{LATCHES}/{engine}")
    return any(path.is_symlink() for path in directory.glob("*.record"))


def list_other_engines(root: HostRoot, engine: str) -> list[str]:
    """List the other engines that have the recorder enabled."""
    return [one for one in _ENGINES if one != engine and heeds_annotations(root, one)]


def make_script(script: str = SCRIPT) -> bytes:
    """Return the script of a recorder or supervisor, by which this Python finds this package."""
    python = sys.executable
    if " " in python or len(python) > _MAX_SHEBANG - len("#! -IS\n"):
        raise SeclatchError(
            f"placing the recorder: the kernel runs no script by {python}: a blank, or too long",
            remedy="install seclatch in another place, such as /opt/seclatch",
        )
    return script.format(python=python, directories=find_import_directories()).encode()


def find_import_directories() -> list[str]:
    """List the directories of this package and of what it imports beside the standard library."""
    packages = (seclatch.__file__, msgspec.__file__)
    return list(dict.fromkeys(str(Path(file).resolve().parents[1]) for file in packages))


def list_loaded_files(modules: Sequence[str]) -> list[Path]:
    """List all files that these modules execute: the interpreter, its settings, modules."""
    program = _LIST.format(directories=find_import_directories(), modules=", ".join(modules))
    command = [sys.executable, "-IS", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SeclatchError(
            f"placing the recorder or supervisor: {sys.executable} -IS cannot import it: "
            f"{done.stderr.strip().rpartition(chr(10))[2]}",
            remedy="install seclatch with its dependencies in one environment of root's",
        )
    python = Path(sys.executable)
    settings = Path(sys.prefix) / "pyvenv.cfg"
    return [python, python.resolve(), settings, *map(Path, json.loads(done.stdout))]


def refuse_unsafe_python(root: HostRoot, modules: Sequence[str]) -> None:
    """Refuse files that others than root can replace: containers' starts run them as root.

    In a tree the recorder will run by the tree's own files, which must be at the same paths.
    """
    for path in list_loaded_files(modules):
        inside = root.resolve(str(path))
        if path.exists() and not inside.is_file():
            raise SeclatchError(
                f"placing the recorder: it would run by {path}, and there is none below "
                f"{root.prefix}",
                remedy=f"install seclatch below {root.prefix} at the path that it has here "
                f"({sys.prefix}), or run the seclatch of that system in it, by chroot(8)",
            )
        installed_latch.refuse_unsafe(root, inside)
        installed_latch.refuse_unsafe_file(inside)


def refuse_unsafe_directory(root: HostRoot, limits: RecorderLimits) -> None:
    """Refuse a directory for recordings that others than root may read."""
    path = root.resolve(limits.directory)
    try:
        status = path.stat()
    except FileNotFoundError:
        installed_latch.refuse_unsafe(root, path)
        return
    if (
        not stat.S_ISDIR(status.st_mode)
        or status.st_mode & 0o077
        or status.st_uid != installed_latch.get_owner_uid()
    ):
        raise SeclatchError(
            f"keeping recordings in {path}: it is not a directory of root's alone",
            remedy=f"chown root:root {path} && chmod 700 {path}, or choose another by --record-dir",
        )


def try_recorder(root: HostRoot, engine: str) -> str | None:
    """Ask the recorder, and try its program; "" if both work, None where it is not wanted."""
    if not heeds_annotations(root, engine):
        return None
    in_container = not is_installed(root) and read_limits(root) is not None
    if not in_container and (problem := _run_check(root.resolve(PROGRAM))):
        return problem
    if not root.is_host:
        return ""
    try:
        ask_recorder(DEFAULT_SOCKET, "status")
    except SeclatchError as error:
        return str(error)
    return ""


def try_program(root: HostRoot, path: str, settings: str) -> str | None:
    """Run a program of the latch's with --check; "" if it works, None without its settings."""
    if read_file(root.resolve(settings)) is None:
        return None
    return _run_check(root.resolve(path))


def _run_check(program: Path) -> str:
    """Run a program with --check, as far as it needs no container; "" if it works."""
    try:
        installed_latch.refuse_unsafe_file(program)
        done = subprocess.run(
            [program, "--check"],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:  # execve(2): also if the script's interpreter is gone
        return f"{program}: it, or the Python that its first line names, is gone"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program}: {getattr(error, 'strerror', None) or error}"
    except SeclatchError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return f"{program}: {done.stderr.strip().rpartition(chr(10))[2] or f'status {done.returncode}'}"


def read_limits(root: HostRoot) -> RecorderLimits | None:
    """Read the recorder's limits; None where there is none."""
    file = read_file(root.resolve(LIMITS))
    try:
        return decode_limits(file.content) if file else None
    except ValueError:
        return None


def list_kept_directories(root: HostRoot, engine: str) -> set[str]:
    """Return the directories that must stay when this engine's latch goes."""
    limits = read_limits(root) if list_other_engines(root, engine) else None
    return {limits.directory, DIRECTORY} if limits else set()


def list_notes(root: HostRoot) -> list[str]:
    """Return what is left to do where no systemd starts the recorder."""
    if recorder_service.is_managed(root):
        return []
    return [
        f"no systemd here: have {PROGRAM} started as root by this host's service manager; "
        "without it annotated containers start unrecorded"
    ]


def note_kept_recordings(root: HostRoot) -> list[str]:
    """Return the note that recordings are not removed."""
    limits = read_limits(root)
    if limits and any(root.resolve(limits.directory).glob(RECORDINGS)):
        return [f"recordings are kept in {limits.directory}"]
    return []


def remove_recorder_files(root: HostRoot, limits: RecorderLimits) -> Iterator[FileChange]:
    """Yield the steps that remove the directory's other files, if it holds no recordings."""
    directory = root.resolve(limits.directory)
    if not directory.is_dir() or any(directory.glob(RECORDINGS)):
        return
    for pattern in _TRACES:
        for path in sorted(directory.glob(pattern)):
            if present := read_file(path):
                yield FileChange(path, present, None, "left by recorders")
