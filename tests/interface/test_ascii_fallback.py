"""Streams whose encoding lacks the signs of the output."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.output.ascii_fallback import ERRORS, adapt_streams


@given(st.text())
def test_any_text_can_be_written_in_ascii(text: str) -> None:
    assert text.encode("ascii", ERRORS).isascii()
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    adapt_streams(stream, None)
    stream.write(text)
    stream.flush()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_encodable_text_is_unchanged(encoding: str) -> None:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding)
    adapt_streams(stream)
    stream.write("3 \N{MICRO SIGN}s \N{RIGHTWARDS ARROW} x")
    stream.flush()
    expected = {"ascii": b"3 us -> x", "latin-1": b"3 \xb5s -> x"}
    assert buffer.getvalue() == expected.get(
        encoding, "3 \N{MICRO SIGN}s \N{RIGHTWARDS ARROW} x".encode()
    )


def test_click_writes_to_the_given_stream() -> None:
    """click takes a stream whose encoding is called ASCII for misconfigured, and opens another."""
    code = (
        "import sys, click; from seclatch.output.ascii_fallback import adapt_streams; "
        "adapt_streams(sys.stdout); click.echo(chr(0x2026))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": "ascii:strict", "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout == b"...\n"
