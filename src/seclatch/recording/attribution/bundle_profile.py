"""Which profile a container was started under: `linux.seccomp` of the bundle of its runtime.

A bundle is there while its container is, and mostly no longer, so it is looked at when a runtime
shows up. Paths are the runtime's: in its mount namespace, from its working directory. Once it has
gone, an absolute path is tried as its ancestors find it, which live longer, and last as we do. What
cannot be read has no profile in the recording.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from seclatch.recording.attribution.attribution import find_related, is_under_daemon
from seclatch.recording.trace.trace import Trace

MAX_SIZE = 1 << 22
MAX_BUNDLES = 32
MAX_ANCESTORS = 6

Profile = dict[str, Any]


class _Linux(msgspec.Struct):
    seccomp: Profile | None = None


class _Config(msgspec.Struct):
    linux: _Linux | None = None


class BundleProfiles:
    """Reads bundles as runtimes show up; `profiles` is what was found, by the runtime's process."""

    def __init__(self) -> None:
        self.profiles: dict[int, Profile] = {}
        self._looked = 0

    def update(self, trace: Trace) -> None:
        """Read the bundles of runtimes that began since the last time."""
        began, self._looked = trace.starts[self._looked :], len(trace.starts)
        kept = cache(lambda: find_related(trace))
        for number in began:
            segment = trace.segments[number]
            process = segment.process
            bundle = "" if segment.argv_cut else find_bundle(segment.argv)
            # A front that execs the runtime shows up twice, with the same words.
            if not bundle or process in self.profiles or len(self.profiles) == MAX_BUNDLES:
                continue
            if is_under_daemon(trace, trace.processes[process]) and process not in kept():
                continue
            profile = read_bundle_profile(_lineage(trace, process), bundle)
            if profile is not None:
                self.profiles[process] = profile


def find_bundle(argv: Sequence[str]) -> str:
    """The bundle that a runtime's words name; empty if they start no container."""
    if not {"create", "run"} & set(argv[1:]):
        return ""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word in ("--bundle", "-b", "-bundle"):
            return following
        if word.startswith(("--bundle=", "-b=", "-bundle=")):
            return str(word.partition("=")[2])
    return "."


def _lineage(trace: Trace, process: int) -> list[int]:
    """The pids of a process and its ancestors, the nearest first."""
    pids: list[int] = []
    at: int | None = process
    while at is not None and len(pids) < MAX_ANCESTORS:
        pids.append(trace.processes[at].pid)
        at = trace.processes[at].parent
    return pids


def read_bundle_profile(pids: Sequence[int], bundle: str) -> Profile | None:
    """The profile of a bundle as the first of these processes finds it, or one of the others."""
    if bundle.startswith("/"):
        roots = [Path(f"/proc/{pid}/root") / bundle.lstrip("/") for pid in pids]
        folders = [*roots, Path(bundle)]
    else:
        folders = [Path(f"/proc/{pid}/cwd") / bundle for pid in pids[:1]]
    for folder in folders:
        try:
            return decode_bundle_profile(_content(folder / "config.json"))
        except OSError:
            continue
    return None


def decode_bundle_profile(content: bytes) -> Profile | None:
    """`linux.seccomp` of a config.json; None where there is none, or none that could be one."""
    try:
        config = msgspec.json.decode(content, type=_Config)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return config.linux.seccomp if config.linux else None


def _content(file: Path) -> bytes:
    """Not more than a config.json can have, and from nothing that one could wait for."""
    fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(fd, "rb") as opened:
        content = opened.read(MAX_SIZE + 1) or b""
    return content if len(content) <= MAX_SIZE else b""
