"""The container engines, and whether they have the latch."""

from __future__ import annotations

from seclatch.engines.host_root import HostRoot
from seclatch.engines.install_record import load_record
from seclatch.errors import SeclatchError
from seclatch.host.host_check import CheckState, HostCheck
from seclatch.host.host_programs import find_program, query_program, take_first_line

# engine -> its program; the daemon's where there is one
_PROGRAMS = {"docker": "dockerd", "podman": "podman", "containerd": "containerd"}


def check_engines(root: HostRoot) -> list[HostCheck]:
    """Look for each engine; one that is absent is not worth a line unless none is there."""
    checks = [check for engine in _PROGRAMS if (check := check_engine(engine, root))]
    return checks or [
        HostCheck("engines", CheckState.NOTE, "neither docker, podman nor containerd found")
    ]


def check_engine(engine: str, root: HostRoot) -> HostCheck | None:
    """Tell an engine's version and whether `seclatch install` was done for it."""
    program = find_program(_PROGRAMS[engine])
    if program is None:
        return None
    version = (
        take_first_line(query_program(program, "--version"))
        or f"{program} does not answer --version"
    )
    try:
        record = load_record(root, engine)
    except SeclatchError as error:
        return HostCheck(engine, CheckState.NOTE, f"{version}; {error}", error.remedy)
    if record is None:
        return HostCheck(
            engine,
            CheckState.NOTE,
            f"{version}; the latch is not installed",
            f"seclatch install {engine}",
        )
    return HostCheck(engine, CheckState.OK, f"{version}; latch installed for {record.runtime}")
