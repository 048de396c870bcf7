"""Find running containers that need a latch: their shim or conmon calls it at stop and exec."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path

import msgspec

from seclatch.system.procfs import split_argv

# A shim's `runtime` file holds one path (PATH_MAX).
MAX_PATH = 4096
MAX_CONFIG = 16 << 20

ID = re.compile(r"[0-9a-f]{64}")
SHORT = 12


class _Config(msgspec.Struct):
    annotations: dict[str, str] = {}


def list_containers_using(directory: str) -> list[str]:
    """List the running containers, of all engines, with a runtime in `directory`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            comm = (process / "comm").read_text(errors="replace").strip()
            user = USERS.get(comm, lambda _process: None)(process)
        except OSError:
            continue  # it ended meanwhile
        if user and user[0].startswith(directory + "/"):
            found.append(f"{shorten(user[1])} (pid {process.name})")
    return sorted(found)


def shorten(container: str) -> str:
    """Cut an engine's id to the 12 digits by which engines show it; names stay."""
    return container[:SHORT] if ID.fullmatch(container) else container


def read_shim_container(process: Path) -> tuple[str, str] | None:
    """Return runtime and container of a containerd-shim-runc-v2, from the bundle, its directory.

    A pod's containers share the shim of its sandbox: they are named by the pod.
    """
    with (process / "cwd/runtime").open("rb") as file:
        runtime = os.fsdecode(file.read(MAX_PATH)).strip()
    arguments = read_arguments(process)
    return runtime, read_pod(process / "cwd") or find_option_value(arguments, "-id") or "?"


def read_pod(bundle: Path) -> str:
    """Return the pod that CRI names in a sandbox's config.json; "" if there is none."""
    try:
        with (bundle / "config.json").open("rb") as file:
            notes = msgspec.json.decode(file.read(MAX_CONFIG), type=_Config).annotations
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    words = [notes.get(f"io.kubernetes.cri.sandbox-{part}", "") for part in ("namespace", "name")]
    return f"pod {'/'.join(words)}" if all(words) else ""


def read_conmon_container(process: Path) -> tuple[str, str] | None:
    """Return runtime and container of a conmon, which Podman starts with both as options."""
    arguments = read_arguments(process)
    runtime = find_option_value(arguments, "-r", "--runtime")
    container = (
        find_option_value(arguments, "-n", "--name")
        or find_option_value(arguments, "-c", "--cid")
        or "?"
    )
    return (runtime, container) if runtime else None


def read_arguments(process: Path) -> list[str]:
    """Return a process's argv."""
    return list(split_argv((process / "cmdline").read_bytes(), "surrogateescape"))


def find_option_value(arguments: list[str], *flags: str) -> str | None:
    """Return the argument after the first of the flags."""
    for flag, value in pairwise(arguments):
        if flag in flags:
            return value
    return None


# By comm, which the kernel cuts to 15 characters.
USERS = {"containerd-shim": read_shim_container, "conmon": read_conmon_container}
