"""What leaves a host has no command line in it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from seclatch.model.recording.recording import ReadyMark
from seclatch.model.recording.shared_counts import strip_recording
from tests.unit.recordings import calls, recording


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("listen:6379", "listen"),
        ("log:user (secret), ready", "command, log"),
        ("30s", "30s"),
        ("accept, mark", "accept, mark"),
        ("redis-cli -a secret ping", "command"),
        ("curl -H 'Authorization: Bearer secret' http://127.0.0.1", "command"),
        ("sh -c 'a secret, listen'", "command"),
    ],
)
def test_the_condition_of_a_mark_has_no_command(condition: str, kept: str) -> None:
    shown = replace(
        recording(calls("program", "read")), ready=ReadyMark(time=1, condition=condition)
    )
    mark = strip_recording(shown).ready
    assert mark is not None and mark.condition == kept
    again = strip_recording(replace(shown, ready=mark)).ready
    assert again == mark
