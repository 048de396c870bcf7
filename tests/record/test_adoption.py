"""Tasks that are being forked while the iterator looks for those that run already."""

from __future__ import annotations

import contextlib
import subprocess
import threading

import pytest

from seclatch.recording.backends.bpf.adopt_processes import adopt
from seclatch.recording.backends.bpf.container_scope import ContainerScope
from seclatch.recording.backends.bpf.shared_backend import SharedEbpf
from seclatch.recording.trace.event_kinds import EventKind

pytestmark = pytest.mark.root

SCOPE, OTHER = ContainerScope(word="3f4c" * 16), ContainerScope(word="5e6d" * 16)
FORKS = 5000
FORKING = f"read line; i=0; while [ $i -lt {FORKS} ]; do (:); i=$((i+1)); done"


def test_a_task_is_followed_once_while_others_are_looked_for() -> None:
    """As containers start while a recorded one forks: each process begins once, and ends."""
    with contextlib.closing(SharedEbpf()) as backend:
        trace = backend.harvest.add(1)
        process = subprocess.Popen(["/bin/sh", "-c", FORKING], stdin=subprocess.PIPE)
        assert adopt(backend.probe, SCOPE, process=process.pid, number=1) == 1
        waiter = threading.Thread(target=process.communicate, args=(b"\n",))
        waiter.start()
        passes = 0
        while waiter.is_alive():
            assert adopt(backend.probe, OTHER, number=2) == 0
            backend.harvest.collect()
            passes += 1
        waiter.join()
        backend.harvest.catch_up()
        kinds = [segment.kind for segment in trace.segments.values()]
        assert process.returncode == 0 and passes > 10
        assert kinds.count(EventKind.FORK) == FORKS
        assert kinds.count(EventKind.FOUND) == 1
        assert trace.living == set()
        assert backend.harvest.count_open() == {}
