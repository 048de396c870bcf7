"""Install the supervisor that tightens annotated containers, and its settings.

The latch looks for `RUNTIME.tighten`. Without that link a container that asks for a running profile
starts without one, or not at all if it asks to be stopped then (native/supervise.c).
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from seclatch.engines.installation import installed_latch
from seclatch.engines.installation.engine import LATCHES, LatchRegistration
from seclatch.engines.installation.file_change import ChangeStep, FileChange, FileState, read_file
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.services.annotation_recorder import (
    make_script,
    refuse_unsafe_python,
    try_program,
)
from seclatch.runtime.find_latch import find_latch, read_latch

PROGRAM, SETTINGS, TIGHTEN = "supervisor", "supervisor.json", "seclatch-tighten"
NAMES = (PROGRAM, SETTINGS, TIGHTEN)
PROFILES = "/etc/seclatch/running"
_PURPOSES = {
    PROGRAM: "the supervisor of annotated containers",
    SETTINGS: "where its profiles are",
    TIGHTEN: "what the supervisor puts profiles on by",
}
_MODULES = (
    "seclatch.tighten.automatic.supervise_container",
    "seclatch.tighten.automatic.put_running_profile",
)

SCRIPT = """\
#!{python} -IS
# Written by `seclatch install --tighten-annotations`: tightens one container once it is ready.
# Without the site module: no .pth file, sitecustomize or user's directory has a say in what root
# executes.
import sys

sys.path += {directories}

from seclatch.tighten.automatic.supervise_container import main

raise SystemExit(main(__file__))
"""


def place_supervisor(root: HostRoot, wish: LatchRegistration) -> list[ChangeStep]:
    """Return the steps that put the supervisor and its settings in place, or that remove them."""
    if not wish.running_profiles:
        return remove_supervisor(root, wish.engine)
    if wish.keeps_programs:
        return []
    refuse_unsafe_python(root, _MODULES)
    installed_latch.refuse_unsafe(root, root.resolve(f"{wish.running_profiles}/any"))
    settings = json.dumps({"profiles": wish.running_profiles}).encode() + b"\n"
    wanted = {
        PROGRAM: (make_script(SCRIPT), 0o755),
        SETTINGS: (settings, 0o644),
        TIGHTEN: (read_latch(find_latch("tighten")), 0o755),
    }
    steps: list[ChangeStep] = []
    for name, (content, mode) in wanted.items():
        path = root.resolve(f"{wish.directory}/{name}")
        present, state = read_file(path), FileState(content, mode, *installed_latch.choose_owner())
        if present is None or not installed_latch.is_as_wanted(present, state):
            steps.append(FileChange(path, present, state, _PURPOSES[name]))
    return steps


def find_profiles(root: HostRoot, engine: str) -> str:
    """Return the directory of running profiles; "" without tightening by annotation."""
    directory = root.resolve(f"{LATCHES}/{engine}")
    if not any(path.is_symlink() for path in directory.glob("*.tighten")):
        return ""
    file = read_file(directory / SETTINGS)
    try:
        found = json.loads(file.content)["profiles"] if file else ""
    except (ValueError, KeyError, TypeError):
        found = ""
    return found if isinstance(found, str) and found.startswith("/") else PROFILES


def remove_supervisor(root: HostRoot, engine: str) -> list[ChangeStep]:
    """Return the steps that remove supervisor and settings; profiles are the administrator's."""
    steps: list[ChangeStep] = []
    for name, purpose in _PURPOSES.items():
        path = root.resolve(str(PurePosixPath(LATCHES, engine, name)))
        if present := read_file(path):
            steps.append(FileChange(path, present, None, purpose))
    return steps


def try_supervisor(root: HostRoot, engine: str) -> str | None:
    """Run the supervisor as far as it needs no container; "" if it works, None without one."""
    return try_program(root, f"{LATCHES}/{engine}/{PROGRAM}", f"{LATCHES}/{engine}/{SETTINGS}")
