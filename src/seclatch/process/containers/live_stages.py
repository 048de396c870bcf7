"""Determine the stage of a live process in a container's life."""

from __future__ import annotations

from seclatch.model.process import SeccompMode
from seclatch.model.stage import Stage
from seclatch.system.procfs import ProcEntry

_ENGINES = {"dockerd", "containerd", "podman", "conmon", "crio", "docker-proxy", "balena-engine"}
_CLIENTS = {"docker", "ctr", "nerdctl", "crictl", "buildah"}
_RUNTIMES = {"runc", "crun", "youki", "seclatch-runc", "seclatch-crun"}
# runc runs as a sealed copy of itself: `memfd:runc_cloned:/proc/self/exe (deleted)`.
_COPIES = ("memfd:runc", "memfd:crun", "runc.", "crun.")


def find_stage(entry: ProcEntry, *, in_container: bool) -> Stage | None:
    """Return the stage; None for a process that has nothing to do with containers.

    Inside of a container every process is the program's, except a runtime that has not exec'd yet:
    a process named dockerd there belongs to the image.
    """
    name = read_program_name(entry)
    runtime = name in _RUNTIMES or name.startswith(_COPIES)
    if runtime and (in_container or _is_init(entry)):
        return Stage.FILTERED_INIT if entry.status.mode == SeccompMode.FILTER else Stage.INIT
    if in_container:
        return Stage.PROGRAM
    if runtime:
        return Stage.RUNTIME
    if name.startswith("containerd-shim"):
        return Stage.SHIM
    if name in _ENGINES:
        return Stage.ENGINE
    return Stage.CLIENT if name in _CLIENTS else None


def is_runtime(program: str, comm: str) -> bool:
    """Return whether a process under a filter is a runtime that has not exec'd the program yet.

    By its names alone: a program of the container may give itself one of them.
    """
    return program in _RUNTIMES or program.startswith(_COPIES) or comm.startswith("runc:[")


def read_program_name(entry: ProcEntry) -> str:
    """Return the base name of the program, or the comm where the executable may not be read."""
    return entry.executable.removesuffix(" (deleted)") or entry.status.comm


def _is_init(entry: ProcEntry) -> bool:
    """Return whether this is runc's init: its comm is `runc:[1:CHILD]` or `runc:[2:INIT]`."""
    return entry.status.comm.startswith("runc:[") or entry.argv[1:2] == ("init",)
