"""Which part of a container's log its engine's client is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.recording.ready.engine_log import EngineLog
from seclatch.recording.ready.ready_condition import EngineContainer
from tests.latch.oci import wait_until

CLIENT = """#!/bin/sh
case "$1" in
container) test "$4" = '{{json .State.FinishedAt}}' || exit 1; printf '%s\\n' '"FINISHED"' ;;
*) echo "$@" ;;
esac
"""


@pytest.mark.parametrize(
    ("finished", "asked"),
    [
        ("0001-01-01T00:00:00Z", "logs --follow web\n"),
        ("2026-11-28T01:54:58.846437506Z", "--since 2026-11-28T01:54:58.846437506Z web\n"),
        ("--all", "logs --follow web\n"),
    ],
    ids=["first run", "started again", "no time"],
)
def test_a_log_is_read_from_the_end_of_the_run_before(
    tmp_path: Path, finished: str, asked: str
) -> None:
    """Not from its start: engines note that after the program may have written its first line."""
    client = tmp_path / "client"
    client.write_text(CLIENT.replace("FINISHED", finished))
    client.chmod(0o755)
    log = EngineLog(EngineContainer((str(client),), "web"))
    try:
        read = b""

        def line() -> bool:
            nonlocal read
            read += b"".join(log.read())
            return read.endswith(b"\n")

        wait_until(line, "the client's line")
    finally:
        log.close()
    assert read.decode().endswith(asked)
