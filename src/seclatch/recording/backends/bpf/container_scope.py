"""Containers that are followed: what enters one is followed, whichever process made it.

The kernel side is native/bpf/containers.h.
"""

from __future__ import annotations

import errno
from typing import NamedTuple

from seclatch.recording.backends.bpf.abi import ADOPTION, CONTAINER, WORD, WORD_SIZE
from seclatch.recording.backends.bpf.loader import Probe
from seclatch.system.bpf import Map

ONLY = 1
"""The number of a recording's only container."""


class ContainerScope(NamedTuple):
    """What belongs to a container: inode numbers of namespaces (0: none), and its id.

    `reapers`: also what is forked into a pid namespace whose pid 1 belongs to it.
    """

    mounts: int = 0
    pids: int = 0
    reapers: bool = False
    word: str = ""

    @property
    def namespace(self) -> int:
        """The namespace by which its tasks are found."""
        return self.mounts or self.pids

    @property
    def key(self) -> bytes:
        """The id as a key of `words`."""
        return self.word.encode("utf-8", "surrogateescape")[: WORD_SIZE - 1].ljust(WORD_SIZE, b"\0")


def watch_container(
    probe: Probe, scope: ContainerScope, *, number: int = ONLY, joined: bool = True
) -> None:
    """Have the kernel programs know a container. Raises OSError.

    `joined`: follow what joins it from now on; False while its processes are being looked for.
    """
    value = WORD.pack(number)
    if scope.namespace:
        probe.map("namespaces").set(WORD.pack(scope.namespace), value)
    if scope.word:
        probe.map("words").set(scope.key, value)
        WORD.pack_into(probe.globals, probe.find_global("words_given"), 1)
    probe.map("containers").set(value, CONTAINER.pack(joined, scope.reapers))


def forget_container(probe: Probe, scope: ContainerScope, *, number: int = ONLY) -> None:
    """Follow nothing into a container any more; tasks that are followed stay so. Raises OSError.

    A later recording of the same container, or of a restarted one with the same id, may have the
    keys by now: those stay.
    """
    _delete(probe.map("containers"), WORD.pack(number))
    value = WORD.pack(number)
    for name, key in (("namespaces", WORD.pack(scope.namespace)), ("words", scope.key)):
        if probe.map(name).get(key) == value:
            _delete(probe.map(name), key)


def _delete(entries: Map, key: bytes) -> None:
    try:
        entries.delete(key)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def adopt_also(probe: Probe, process: int, *, number: int = ONLY) -> None:
    """Have the next pass of an iterator take this process, by its pid, for one of the container."""
    ADOPTION.pack_into(probe.globals, probe.find_global("adoption"), process, number)
