"""Requests of the latch that fail end neither the recorder nor another container's recording."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from seclatch.errors import SeclatchError
from seclatch.recording.annotated.follow_front import FrontFollower
from seclatch.recording.annotated.node_recorder import NodeRecorder
from seclatch.recording.annotated.recorder_socket import RecorderRequest


def make_request(pid: int) -> tuple[RecorderRequest, socket.socket]:
    """Return a request without a container's id, and the end at which its answer arrives."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.settimeout(60)
    return RecorderRequest(ours, pid, "record", ""), theirs


def test_a_front_that_is_a_zombie() -> None:
    """Its argv is empty."""
    follower = FrontFollower(*cast(Any, [None] * 5))
    with subprocess.Popen([sys.executable, "-c", ""]) as front:
        os.waitid(os.P_PID, front.pid, os.WEXITED | os.WNOWAIT)
        request, theirs = make_request(front.pid)
        with theirs, pytest.raises(SeclatchError, match=f"process {front.pid}: it has ended"):
            follower.follow(request)
        request.close()


def test_a_defect_is_logged_and_answered() -> None:
    def fail(_: RecorderRequest) -> None:
        raise IndexError("list index out of range")

    logged: list[str] = []
    recorder = cast(Any, NodeRecorder.__new__(NodeRecorder))
    recorder._follower = SimpleNamespace(follow=fail)
    recorder._saver = SimpleNamespace(flush=fail)
    recorder._log = SimpleNamespace(write=logged.append)
    request, theirs = make_request(1)
    with theirs:
        recorder._handle(request)
        assert theirs.recv(16) == b"0"
    assert logged == ["not recorded: IndexError: list index out of range"]
