"""Stages of a container start: which program makes a system call, under which filter."""

from __future__ import annotations

import enum


class Stage(enum.Enum):
    """Stages in the order of a start; the value is the name in recordings."""

    CLIENT = "client"
    ENGINE = "engine"
    SHIM = "shim"
    RUNTIME = "runtime"
    INIT = "init"
    FILTERED_INIT = "filtered-init"
    HOOK = "hook"
    PROGRAM = "program"

    @property
    def meaning(self) -> str:
        """Return a one-line description."""
        return _MEANINGS[self]


_MEANINGS = {
    Stage.CLIENT: "the command given, and what it runs outside of the container",
    Stage.ENGINE: "dockerd, containerd, podman, conmon",
    Stage.SHIM: "containerd's shim",
    Stage.RUNTIME: "runc or crun, the side that stays on the host",
    Stage.INIT: "the runtime's child that becomes the container, before its filter",
    Stage.FILTERED_INIT: "the same with its filter loaded: what a profile must allow without latch",
    Stage.HOOK: "hooks and other programs that the runtime runs",
    Stage.PROGRAM: "the image's program, from its exec on, with all its descendants",
}
