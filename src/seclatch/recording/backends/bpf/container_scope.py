"""The container that is watched: what comes into it is followed, whatever has made it."""

from __future__ import annotations

from seclatch.recording.backends.bpf.abi import WORD, Watch
from seclatch.recording.backends.bpf.loader import Probe


def watch(  # noqa: PLR0913 (all that the kernel side has)
    probe: Probe,
    *,
    mounts: int = 0,
    pids: int = 0,
    process: int = 0,
    reapers: bool = False,
    word: str = "",
) -> None:
    """Follow what comes into this container from now on; 0 and 0: into none.

    `struct watch` in native/bpf/recorder.h.
    """
    content = word.encode("utf-8", "surrogateescape")[: Watch.WORD_SIZE - 1]
    begin = probe.find_global("watch")
    at = begin + Watch.WORD
    probe.globals[at : at + Watch.WORD_SIZE] = content.ljust(Watch.WORD_SIZE, b"\0")
    for place, value in (
        (Watch.MOUNTS, mounts),
        (Watch.PIDS, pids),
        (Watch.PROCESS, process),
        (Watch.REAPERS, int(reapers)),
    ):
        WORD.pack_into(probe.globals, begin + place, value)


def follow_joining_processes(probe: Probe) -> None:
    """Follow processes that join the container from now on; those in it are followed already."""
    WORD.pack_into(probe.globals, probe.find_global("watch") + Watch.OPEN, 1)
