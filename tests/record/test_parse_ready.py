from __future__ import annotations

import os
import time
from typing import cast

import pytest

from seclatch.errors import SeclatchError
from seclatch.recording.backends.backend import RecordingBackend
from seclatch.recording.ready.log_pattern import LinePattern
from seclatch.recording.ready.notify_socket import NotifySocket
from seclatch.recording.ready.parse_ready import parse_ready
from seclatch.recording.ready.ready_command import ReadyCommand
from seclatch.recording.ready.ready_condition import RecordedView
from seclatch.recording.trace.trace import Trace


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("listen", "Listens"),
        ("listen:6379", "Listens"),
        ("accept", "AcceptsConnections"),
        ("healthy", "HealthyContainer"),
        ("notify", "NotifySocket"),
        ("log:Ready to accept", "LogPattern"),
        ("30s", "TimeHasPassed"),
        ("test -e '/tmp/a b'", "ReadyCommand"),
    ],
)
def test_conditions(text: str, kind: str) -> None:
    condition = parse_ready(text)
    assert type(condition).__name__ == kind
    assert condition.text == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listen:", "no TCP port"),
        ("listen:0", "no TCP port"),
        ("listen:65536", "no TCP port"),
        ("listen:http", "no TCP port"),
        ("listen:٣", "no TCP port"),
        ("lisen:80", "lisen:80 is no condition, and no program"),
        ("", "an empty text is no condition"),
        ("'", "No closing quotation"),
        ("log:(a", "missing"),
        (r"log:(a)\1", "invalid escape"),
    ],
)
def test_what_is_no_condition(text: str, message: str) -> None:
    with pytest.raises(SeclatchError, match="--ready") as error:
        parse_ready(text)
    assert message in str(error.value)


def test_lines_are_put_together() -> None:
    pattern = LinePattern("", "^Ready$")
    met, rest = pattern.search(b"", b"not Ready\nRea")
    assert (met, rest) == (False, b"Rea")
    assert pattern.search(rest, b"dy\nmore") == (True, b"more")


def test_a_line_without_an_end_takes_bounded_memory() -> None:
    pattern = LinePattern("", "end")
    assert pattern.search(b"x" * 65000, b"y" * 65000) == (False, b"")


def test_no_line_takes_a_backtracking_matcher_s_time() -> None:
    """For Python's re this is 2**40 steps."""
    pattern = LinePattern("", "^(a|a)*$")
    began = time.process_time()
    assert pattern.search(b"", b"a" * 40 + b"!\n") == (False, b"")
    assert time.process_time() - began < 60


def test_bytes_that_are_no_text_are_searched() -> None:
    pattern = LinePattern("", "up")
    assert pattern.search(b"", os.urandom(100).replace(b"\n", b"") + b"\xffup\n")[0]


def test_a_command_may_print_more_than_a_pipe_takes() -> None:
    """Such as `curl` of a page."""
    condition = parse_ready("head -c 300000 /dev/zero")
    assert isinstance(condition, ReadyCommand)
    view = RecordedView(cast("RecordingBackend", None), Trace())
    end = time.monotonic() + 60  # a run that does not end is killed after 10 seconds, not met
    while not (met := condition.is_met(view)) and time.monotonic() < end:
        time.sleep(0.05)
    condition.close()
    assert met


def test_messages_without_end_do_not_hold_the_recorder_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    condition = parse_ready("notify")
    assert isinstance(condition, NotifySocket)
    condition.begin(client=False)
    monkeypatch.setattr(condition, "_receive", lambda _: None)  # as if there were another
    assert not condition.is_met(RecordedView(cast("RecordingBackend", None), Trace()))
    condition.close()
