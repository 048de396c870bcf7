"""Exit statuses as of docker run; the logs are those of runc 1.1.15 and crun 1.21."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.runtime.run_outcome import map_exit_status


def log(message: str, level: Any = "error") -> Any:
    return json.dumps({"level": level, "msg": message, "time": "2026-01-01T00:00:00Z"}) + "\n"


RUNC = "runc run failed: unable to start container process: "


@pytest.mark.parametrize(
    ("runtime", "message", "status"),
    [
        ("runc", RUNC + 'exec: "/x": stat /x: no such file or directory', 127),
        ("runc", RUNC + 'exec: "/x": executable file not found in $PATH', 127),
        ("runc", RUNC + 'exec: "/x": permission denied', 126),
        ("runc", RUNC + 'exec: "/x": is a directory', 126),
        ("runc", RUNC + "error closing exec fds: operation not permitted", 125),
        ("runc", RUNC + "error mounting: no such file or directory", 125),
        ("runc", "seclatch: nothing was started: no CAP_SYS_ADMIN", 125),
        ("crun", "executable file `/x` not found: No such file or directory", 127),
        ("crun", "executable file `/x` not found in $PATH: No such file or directory", 127),
        ("crun", "the path `/x` exists but it is not executable: Operation not permitted", 126),
        ("crun", "the path `/x` is not a regular file: Operation not permitted", 126),
        ("crun", "prctl drop bounding: Operation not permitted", 125),
    ],
)
def test_failed_start(runtime: str, message: str, status: int) -> None:
    text = log(message) if runtime == "runc" else message + "\n"
    assert map_exit_status(runtime, 1, text, "/x") == status


@pytest.mark.parametrize("status", [0, 1, 2, 127, 137, 255])
def test_the_programs_own_status(status: int) -> None:
    assert map_exit_status("runc", status, "", "/x") == status
    noise = log("unable to get oom kill count", "warning") + log("Failed to remove paths")
    assert map_exit_status("runc", status, noise, "/x") == status


@given(st.integers(0, 255), st.text() | st.lists(st.text()).map(json.dumps))
def test_any_log_gives_a_status(status: int, text: str) -> None:
    for runtime in ("runc", "crun"):
        assert 0 <= map_exit_status(runtime, status, text, "x") <= 255
