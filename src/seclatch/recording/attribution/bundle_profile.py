"""Read a container's profile, `linux.seccomp`, from the bundle that its runtime is given.

A bundle exists as long as its container, often less, so it is read when the runtime is observed.
Paths are the runtime's: in its mount namespace, from its working directory. If the runtime has
ended, an absolute path is tried from the root of its ancestors, which live longer, and last from
this process's root. If it cannot be read, the recording has no profile (decision 0047).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seclatch.recording.attribution.attribution import find_related, is_under_daemon
from seclatch.recording.trace.trace import Trace

if TYPE_CHECKING:
    from seclatch.model.pod import PodContainer

MAX_SIZE = 1 << 22
MAX_BUNDLES = 32
MAX_ANCESTORS = 6
# In the name of each annotation that CRI's engines write; none of them escapes letters in JSON.
_POD_WORD = b"io.kubernetes."

Profile = dict[str, Any]

FindPod = Callable[[str], "PodContainer | None"]
"""Returns the names in Kubernetes of a container by its id, None outside of pods."""


class BundleProfiles:
    """Profiles of the bundles of runtimes, by the runtime's process, in `profiles`.

    `pods`: likewise, the names in Kubernetes. A bundle is decoded when one of them is asked for:
    what else is lost with a short container is read first, and what decodes it, 10 ms to import,
    waits for the end unless there is a pod.
    """

    def __init__(self) -> None:
        self._profiles: dict[int, Profile] = {}
        self._contents: list[tuple[int, str, bytes]] = []
        self.pods: dict[int, PodContainer] = {}
        self._looked = 0
        self._read: set[int] = set()
        self._unnamed: dict[int, str] = {}
        self._mentions_pod = False

    def update(self, trace: Trace) -> None:
        """Read the bundles of runtimes that have started since the last call."""
        if self._looked == len(trace.starts):
            return
        began, self._looked = trace.starts[self._looked :], len(trace.starts)
        kept = cache(lambda: find_related(trace))
        for number in began:
            segment = trace.segments[number]
            process = segment.process
            bundle = "" if segment.argv_cut else find_bundle(segment.argv)
            # A front that execs the runtime is listed twice, with the same argv.
            if not bundle or process in self._read or len(self._read) == MAX_BUNDLES:
                continue
            if is_under_daemon(trace, trace.processes[process]) and process not in kept():
                continue
            content = read_bundle_config(_list_ancestor_pids(trace, process), bundle)
            if content:
                self._read.add(process)
                self._contents.append((process, segment.argv[-1], content))
                self._mentions_pod |= _POD_WORD in content

    @property
    def profiles(self) -> dict[int, Profile]:
        """Return the profiles of the bundles that were read."""
        self._decode()
        return self._profiles

    def _decode(self) -> None:
        while self._contents:
            from seclatch.recording.attribution.bundle_config import decode_bundle_config

            process, identifier, content = self._contents.pop()
            config = decode_bundle_config(content)
            if config and config.profile is not None:
                self._profiles[process] = config.profile
            if config and config.mentions_pod:
                self._unnamed[process] = identifier

    def find_pods(self, find_pod: FindPod | None) -> None:
        """Find the pods of what was read since the last call: each query reads all of /proc."""
        if not self._mentions_pod:
            return
        self._decode()
        while self._unnamed and find_pod:
            process, identifier = self._unnamed.popitem()
            if pod := find_pod(identifier):
                self.pods[process] = pod


def find_bundle(argv: Sequence[str]) -> str:
    """Return the bundle in a runtime's argv; "" if it starts no container."""
    if not {"create", "run"} & set(argv[1:]):
        return ""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word in ("--bundle", "-b", "-bundle"):
            return following
        if word.startswith(("--bundle=", "-b=", "-bundle=")):
            return str(word.partition("=")[2])
    return "."


def _list_ancestor_pids(trace: Trace, process: int) -> list[int]:
    """Return the pids of a process and its ancestors, the nearest first."""
    pids: list[int] = []
    at: int | None = process
    while at is not None and len(pids) < MAX_ANCESTORS:
        pids.append(trace.processes[at].pid)
        at = trace.processes[at].parent
    return pids


def read_bundle_config(pids: Sequence[int], bundle: str) -> bytes | None:
    """Read the config.json of a bundle, by the paths of the first of these that finds it."""
    if bundle.startswith("/"):
        roots = [Path(f"/proc/{pid}/root") / bundle.lstrip("/") for pid in pids]
        folders = [*roots, Path(bundle)]
    else:
        folders = [Path(f"/proc/{pid}/cwd") / bundle for pid in pids[:1]]
    for folder in folders:
        try:
            return _read_bounded(folder / "config.json")
        except OSError:
            continue
    return None


def _read_bounded(file: Path) -> bytes:
    """Read at most MAX_SIZE bytes without blocking, from a FIFO for example."""
    fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(fd, "rb") as opened:
        content = opened.read(MAX_SIZE + 1) or b""
    return content if len(content) <= MAX_SIZE else b""
