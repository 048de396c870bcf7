"""Install the recorder of annotated containers: a root-owned program and its limits.

The latch looks for `RUNTIME.record`. Without that link annotations are ignored: they are heeded
only after `install --record-annotations`.

See docs/decisions/0016 (recording by annotation).
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
from seclatch.engines import installed_latch
from seclatch.engines.engine import LATCHES, LatchRegistration
from seclatch.engines.file_change import ChangeStep, FileChange, FileState, read_file
from seclatch.engines.host_root import HostRoot
from seclatch.errors import SeclatchError
from seclatch.model.recorder_limits import RecorderLimits, decode_limits

PROGRAM, LIMITS = "recorder", "recorder.json"
NAMES = (PROGRAM, LIMITS)
RECORDINGS = "*.json.gz"
_ENGINES = ("docker", "podman", "containerd", "crio")
_PURPOSES = {PROGRAM: "the recorder of annotated containers", LIMITS: "what it may take"}
_SECONDS = 20
_MAX_SHEBANG = 127  # Linux before 5.1 (BINPRM_BUF_SIZE)
# Files other than recordings that recorders leave in their directory.
_TRACES = (".slot-*", "log", "log.old")

SCRIPT = """\
#!{python} -IS
# Written by `seclatch install --record-annotations`: records one container for the latch. Without
# the site module: no .pth file, sitecustomize or user's directory has a say in what root executes.
import sys

sys.path += {directories}

from seclatch.recording.annotated.container_recorder import main


def find_image(monitor, identifier):
    # Only after the container has started: its start does not wait for these modules.
    from seclatch.process.container_images import find_container_image

    return find_container_image(monitor, identifier)


raise SystemExit(main(__file__, find_image))
"""

MODULES = ("seclatch.recording.annotated.container_recorder", "seclatch.process.container_images")

_LIST = """
import json, sys
sys.path += {directories}
import {modules}
files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
print(json.dumps(sorted({{file for file in files if file}})))
"""


def place_recorder(root: HostRoot, wish: LatchRegistration) -> list[ChangeStep]:
    """Return the steps that put the recorder and its limits in place, or that remove them."""
    limits = wish.recorder
    if limits is None:
        return remove_recorder(root, wish.engine)
    refuse_unsafe_python(root, MODULES)
    refuse_unsafe_directory(root, limits)
    wanted = {PROGRAM: (make_script(), 0o755), LIMITS: (limits.encode(), 0o644)}
    steps: list[ChangeStep] = []
    for name, (content, mode) in wanted.items():
        path = root.resolve(f"{wish.directory}/{name}")
        present, state = read_file(path), FileState(content, mode, *installed_latch.choose_owner())
        if present is None or not installed_latch.is_as_wanted(present, state):
            steps.append(FileChange(path, present, state, _PURPOSES[name]))
    return steps


def remove_recorder(root: HostRoot, engine: str) -> list[ChangeStep]:
    """Return the steps that remove recorder and limits, if present, and what recorders left."""
    limits = read_limits(root, engine)
    steps: list[ChangeStep] = []
    for name, purpose in _PURPOSES.items():
        path = root.resolve(f"{LATCHES}/{engine}/{name}")
        if present := read_file(path):
            steps.append(FileChange(path, present, None, purpose))
    if limits and limits.directory not in list_other_directories(root, engine):
        steps += remove_recorder_files(root, limits)
    return steps


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
    """Run the recorder as far as it needs no container; "" if it works, None if there is none."""
    return try_program(root, f"{LATCHES}/{engine}/{PROGRAM}", f"{LATCHES}/{engine}/{LIMITS}")


def try_program(root: HostRoot, path: str, settings: str) -> str | None:
    """Run a recorder or supervisor with --check; "" if it works, None without its settings."""
    if read_file(root.resolve(settings)) is None:
        return None
    program = root.resolve(path)
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


def read_limits(root: HostRoot, engine: str) -> RecorderLimits | None:
    """Read the limits of an engine's recorder; None where annotations are not heeded."""
    file = read_file(root.resolve(f"{LATCHES}/{engine}/{LIMITS}"))
    try:
        return decode_limits(file.content) if file else None
    except ValueError:
        return None


def read_all_limits(root: HostRoot) -> list[RecorderLimits]:
    """Read the limits of every engine that heeds annotations."""
    found = (read_limits(root, one) for one in _ENGINES)
    return [limits for limits in found if limits]


def list_other_directories(root: HostRoot, engine: str) -> set[str]:
    """Return the directories for recordings that other engines' recorders use."""
    found = (read_limits(root, one) for one in _ENGINES if one != engine)
    return {limits.directory for limits in found if limits}


def note_kept_recordings(root: HostRoot, engine: str) -> list[str]:
    """Return the note that recordings are not removed."""
    limits = read_limits(root, engine)
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
