"""Lines of a denial log: they are read back unchanged, and invalid ones are refused."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.model.denial_log import (
    MAX_LINE,
    AnsweringFilter,
    LoggedContainer,
    LoggedDenial,
    LoggedHost,
    WatchEvent,
    decode_line,
    encode_line,
    make_schema,
)

HOST = LoggedHost(name="host", id="1" * 32, boot="b")
SCHEMA = json.loads(
    resources.files("seclatch.data").joinpath("schemas/denial-log-1.json").read_bytes()
)


def denial(text: str = "web", count: int = 1) -> LoggedDenial:
    return LoggedDenial(
        time="2026-11-27T10:00:00.000000Z",
        until="2026-11-27T10:00:00.000000Z",
        count=count,
        host=HOST,
        container=LoggedContainer(id="c" * 64, name=text, image=text),
        unit="",
        stage="program",
        pid=12,
        tid=12,
        uid=0,
        comm=text,
        exe=text,
        arch="x86_64",
        syscall="mkdir",
        number=83,
        args=["0x7fffffffffffffff", "0x0", "0x0", "0x0", "0x0", "0x0"],
        arguments=[text],
        answer="errno",
        errno="EPERM",
        filter=AnsweringFilter(),
        source="ebpf",
    )


def test_the_schema_is_that_of_the_types() -> None:
    assert make_schema() == SCHEMA


@given(st.text(max_size=200), st.integers(1, 1 << 40))
def test_a_line_is_read_back_and_is_one_line(text: str, count: int) -> None:
    line = encode_line(denial(text, count))
    assert line.count(b"\n") == 1 and b"\x1b" not in line
    assert decode_line(line) == denial(text, count)
    jsonschema.validate(json.loads(line), SCHEMA)


def test_a_line_is_written_whatever_its_texts() -> None:
    line = decode_line(encode_line(denial("a\ud800/\udcff")))
    assert isinstance(line, LoggedDenial) and line.exe == "a\\ud800/\\udcff"
    jsonschema.validate(json.loads(encode_line(denial("\udcff"))), SCHEMA)


@pytest.mark.parametrize(
    "text", ["x" * MAX_LINE, "\x01" * 20_000, "\ud800" * 100_000, "\xe9" * 60_000]
)
def test_a_line_keeps_its_limit(text: str) -> None:
    line = encode_line(denial(text))
    assert len(line) <= MAX_LINE
    read = decode_line(line)
    assert isinstance(read, LoggedDenial) and read.count == 1 and read.exe.endswith("...")
    event = WatchEvent(
        event="begin", time="2026-11-27T10:00:00Z", host=HOST, text=text, selection=[text] * 200
    )
    assert len(encode_line(event)) <= MAX_LINE


def test_an_event_is_read_back() -> None:
    event = WatchEvent(event="lost", time="2026-11-27T10:00:00Z", host=HOST, count=3)
    assert decode_line(encode_line(event)) == event
    jsonschema.validate(json.loads(encode_line(event)), SCHEMA)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        encode_line(denial())[:-40],
        encode_line(denial()).replace(b"denial-log/1", b"denial-log/2"),
        encode_line(denial()).replace(b'"type":"denial"', b'"type":"start"'),
        encode_line(denial()).replace(b'"pid":12', b'"pid":"12"'),
        b"[" * 100_000,
        b'"' + b"x" * MAX_LINE + b'"',
        b'{"type":"denial","time":"\xff"}',
    ],
)
def test_invalid_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_line(line)
