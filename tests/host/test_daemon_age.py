from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from seclatch.host.daemon_age import find_listener, find_newer_file


def test_the_listener_of_a_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        with pytest.raises(ConnectionRefusedError):
            find_listener(path)
        server.listen()
        assert find_listener(path) == os.getpid()
    with pytest.raises(FileNotFoundError):
        find_listener(str(tmp_path / "none"))


def test_files_that_were_changed_after_a_process_started(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.touch()
    os.utime(old, (0, 0))
    assert find_newer_file(os.getpid(), [old, new]) is None
    new.touch()
    assert find_newer_file(os.getpid(), [old, new]) == new
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert find_newer_file(gone.pid, [old, new]) is None
