"""Targets: equal denials are counted, files are rotated, and no name leaves its place."""

from __future__ import annotations

import io
import os
import socket
import struct
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import SeclatchError
from seclatch.model.denial_log import LoggedContainer, LoggedDenial, decode_line
from seclatch.watch.targets import metrics as metrics_module
from seclatch.watch.targets import terminal_lines
from seclatch.watch.targets.denial_text import describe_denial, describe_event
from seclatch.watch.targets.journal import Journal, encode_entry, make_fields
from seclatch.watch.targets.json_lines import JsonLines
from seclatch.watch.targets.log_file import LogFile
from seclatch.watch.targets.metrics import MAX_SERIES, Metrics, parse_address
from seclatch.watch.targets.system_log import SystemLog
from seclatch.watch.targets.terminal_lines import TerminalLines
from tests.unit.watch.denials import HOSTILE, make_denial, make_event, make_hostile


def test_a_denial_says_where_what_and_why() -> None:
    assert describe_denial(make_denial()) == (
        'web (nginx:1.27)  nginx[12]  mkdir("/x"): EPERM  '
        "by filter 80f4269f strict.json, the default action"
    )


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"answer": "kill-process", "errno": ""}, "killed"),
        ({"answer": "trap", "errno": ""}, "SIGSYS (trap)"),
        ({"answer": "log", "errno": ""}, "allowed, logged"),
        ({"answer": "trace", "errno": "ENOSYS"}, "ENOSYS (no tracer)"),
        ({"answer": "notify", "errno": "0"}, "by its supervisor"),
        ({"stage": "exec-session"}, "(exec-session)"),
        ({"container": None}, "host  "),
        ({"container": None, "unit": "web.service"}, "web.service  "),
        ({"container": LoggedContainer(id="f" * 64)}, "f" * 12 + "  "),
        ({"container": LoggedContainer(id="f" * 64, name="a", pod="p")}, "a in pod p"),
        ({"syscall": "", "number": 999}, "#999("),
        ({"arch": "x86"}, "(x86)"),
        ({"args": None, "arguments": []}, "mkdir(...)"),
    ],
)
def test_each_kind_has_its_words(values: dict[str, object], text: str) -> None:
    assert text in describe_denial(make_denial(**values))


def test_hostile_names_stay_in_their_line() -> None:
    for text in (describe_denial(make_hostile()), describe_event(make_event(text=HOSTILE))):
        assert text.isprintable()
        assert len(text) < 4000


@given(st.text(max_size=100))
def test_no_name_reaches_a_terminal_unescaped(name: str) -> None:
    stream = io.StringIO()
    lines = TerminalLines(stream)
    lines.write(make_denial(exe=name, arguments=[name], container=LoggedContainer(id=name)))
    lines.close()
    text = stream.getvalue()
    assert text.endswith("\n") and text[:-1].isprintable()


def test_equal_denials_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, now = io.StringIO(), [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    lines = TerminalLines(stream)
    for pid in range(5):
        lines.write(make_denial(pid=pid, count=2))
        lines.flush()
    assert stream.getvalue().count("\n") == 1
    assert "nginx[0]" in stream.getvalue() and "2 times" in stream.getvalue()
    now[0] += 11
    lines.flush()
    assert stream.getvalue().splitlines()[1].endswith("8 more")
    now[0] += 11
    lines.flush()
    lines.write(make_denial())
    assert stream.getvalue().count("\n") == 3
    lines.write(make_denial(errno="EACCES"))
    assert stream.getvalue().count("\n") == 4
    lines.close()
    assert stream.getvalue().count("\n") == 4


def test_memory_of_equal_denials_is_bounded() -> None:
    stream = io.StringIO()
    lines = TerminalLines(stream)
    for number in range(terminal_lines._MAX_HELD + 10):
        lines.write(make_denial(number=number))
    assert len(lines._shown) == terminal_lines._MAX_HELD


def test_json_lines_are_whole() -> None:
    stream = io.BytesIO()
    JsonLines(stream).write(make_hostile())
    assert decode_line(stream.getvalue()) == make_hostile()


def test_a_file_is_rotated_and_nothing_lost(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogFile(path, size=2000, keep=3)
    for pid in range(9):
        log.write(make_denial(pid=pid))
    log.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", "log.1", "log.2", "log.3"]
    assert all(file.stat().st_size <= 2000 for file in files)
    assert path.stat().st_mode & 0o777 == 0o600
    pids = [
        line.pid
        for file in reversed(files)
        for line in map(decode_line, file.read_bytes().splitlines())
        if isinstance(line, LoggedDenial)
    ]
    assert pids == list(range(9))[-len(pids) :] and len(pids) >= 7


def fill_older(folder: Path) -> None:
    for number in range(1, 6):
        (folder / f"log.{number}").write_text(f"older {number}\n")


def read_older(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.glob("log.*"))]


def test_older_files_are_kept_when_the_file_is_gone(tmp_path: Path) -> None:
    fill_older(tmp_path)
    older = read_older(tmp_path)
    log = LogFile(tmp_path / "log", size=20_000, keep=5)
    while (tmp_path / "log").stat().st_size < 19_000:
        log.write(make_denial())
    (tmp_path / "log").unlink()
    for pid in range(7):
        log.write(make_denial(pid=pid))
    assert read_older(tmp_path) == older
    assert len((tmp_path / "log").read_bytes().splitlines()) >= 5
    log.close()


def test_a_rotation_that_fails_is_reported_and_not_tried_at_each_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_older(tmp_path)
    log = LogFile(tmp_path / "log", size=2000, keep=5)
    rename, tried = Path.replace, list[str]()

    def refuse(path: Path, to: Path) -> Path:
        if path.name == "log":
            tried.append(path.name)
            raise PermissionError(1, "Operation not permitted")
        return rename(path, to)

    monkeypatch.setattr(Path, "replace", refuse)
    for pid in range(12):
        log.write(make_denial(pid=pid))
    assert 2 <= len(tried) <= 5
    assert read_older(tmp_path) == [f"older {number}\n" for number in range(1, 5)]
    assert len((tmp_path / "log").read_bytes().splitlines()) == 12
    (note,) = log.take_notes()
    assert "rotating the log" in note and "Operation not permitted" in note
    assert log.take_failed()[0] == 0 and log.take_notes() == []
    log.close()


def test_the_end_of_a_file_is_read_from_what_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file may have taken the path's place: a link, or a FIFO that blocks."""
    path = tmp_path / "log"
    path.write_bytes(b"half")
    whole = tmp_path / "whole"
    whole.write_bytes(b"whole\n")
    opened = os.open

    def replace_then(*words: Any, **more: Any) -> int:
        descriptor = opened(*words, **more)
        path.unlink()
        path.symlink_to(whole)
        return descriptor

    monkeypatch.setattr(os, "open", replace_then)
    log = LogFile(path, size=1 << 20, keep=1)
    assert log._size == 5
    log.close()


def test_without_older_files_it_begins_anew(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", size=1500, keep=0)
    for pid in range(9):
        log.write(make_denial(pid=pid))
    assert [file.name for file in tmp_path.iterdir()] == ["log"]
    assert (tmp_path / "log").stat().st_size <= 1500


def test_another_program_may_move_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogFile(path, size=1 << 20, keep=1)
    log.write(make_denial(pid=1))
    path.rename(tmp_path / "moved")
    log.write(make_denial(pid=2))
    log.reopen()
    log.write(make_denial(pid=3))
    assert len((tmp_path / "moved").read_bytes().splitlines()) == 2
    assert len(path.read_bytes().splitlines()) == 1


def test_half_a_line_of_before_stays_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"type":"den')
    LogFile(path, size=1 << 20, keep=1).write(make_denial())
    first, second = path.read_bytes().splitlines()
    assert first == b'{"type":"den' and decode_line(second) == make_denial()


def test_a_full_disk_is_counted() -> None:
    with pytest.raises(SeclatchError, match="no file of this user's"):
        LogFile(Path("/dev/full"), size=1 << 20, keep=1)


def test_a_line_that_does_not_fit_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    log = LogFile(path, size=1 << 20, keep=1)
    log.write(make_denial(pid=1))
    whole, write = path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda fd, content: write(fd, content[:50]))
    log.write(make_denial(pid=2))
    assert path.read_bytes() == whole
    assert log.take_failed() == (1, "no space left on device")
    assert log.take_failed()[0] == 0


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "other")
    with pytest.raises(SeclatchError, match="opening the log"):
        LogFile(tmp_path / "log", size=1 << 20, keep=1)
    assert not (tmp_path / "other").exists()


def decode_entry(entry: bytes) -> dict[str, str]:
    """As journald reads it."""
    fields = {}
    while entry:
        name, _, rest = entry.partition(b"\n")
        (length,) = struct.unpack_from("<Q", rest)
        fields[name.decode()] = rest[8 : 8 + length].decode()
        assert rest[8 + length : 9 + length] == b"\n"
        entry = rest[9 + length :]
    return fields


def test_an_entry_of_the_journal_has_its_fields_and_no_other(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        journal = Journal(path)
        journal.write(make_hostile())
        fields = decode_entry(listener.recv(1 << 20))
        assert fields == make_fields(make_hostile())
        assert fields["PRIORITY"] == "4" and fields["SECLATCH_EXE"] == f"/{HOSTILE}"
        assert fields["MESSAGE"].isprintable()
        journal.write(make_event())
        assert decode_entry(listener.recv(1 << 20))["SECLATCH_EVENT"] == "lost"
    Path(path).unlink()
    journal.write(make_denial())
    failed, reason = journal.take_failed()
    assert failed == 1 and reason
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        journal.write(make_denial(pid=7))
        assert decode_entry(listener.recv(1 << 20))["SECLATCH_PID"] == "7"
    assert encode_entry({"A": "b"}) == b"A\n\x01\0\0\0\0\0\0\0b\n"


def test_the_system_log_gets_one_line_each(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        log = SystemLog(path)
        log.write(make_hostile())
        message = listener.recv(1 << 16)
        assert message.startswith(b"<28>seclatch: ")
        assert message.rstrip(b"\0").decode().isprintable()
    Path(path).unlink()
    log.write(make_denial())
    assert log.take_failed()[0] == 1
    log.close()


def test_missing_sockets_are_refused(tmp_path: Path) -> None:
    for target in (Journal, SystemLog):
        with pytest.raises(SeclatchError, match=r"No such file|no such socket"):
            target(str(tmp_path / "none"))


def read_metrics(metrics: Metrics) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics") as answer:
        return str(answer.read().decode())


def test_metrics_are_counted_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    monkeypatch.setattr(metrics_module, "MAX_SERIES", 3)
    assert MAX_SERIES == 1000
    metrics = Metrics("127.0.0.1:0")
    try:
        metrics.write(make_denial(count=2))
        metrics.write(make_denial(count=3))
        metrics.write(make_hostile())
        for number in range(50):
            metrics.write(make_denial(syscall="", number=number))
        metrics.write(make_event())
        families = {
            family.name: family for family in text_string_to_metric_families(read_metrics(metrics))
        }
        samples = [
            sample
            for sample in families["seclatch_denials"].samples
            if sample.name == "seclatch_denials_total"
        ]
        assert len(samples) == 3
        assert sum(sample.value for sample in samples) == 56
        by_call = {(one.labels["container"], one.labels["syscall"]): one for one in samples}
        assert by_call["web", "mkdir"].value == 5
        assert by_call["web", "mkdir"].labels["answer"] == "EPERM"
        assert by_call["web", "unknown"].value == 50
        assert all(value.isprintable() for one in samples for value in one.labels.values())
        (lost,) = [
            sample.value
            for sample in families["seclatch_undescribed_denials"].samples
            if sample.name.endswith("_total")
        ]
        assert lost == 3
    finally:
        metrics.close()


def test_one_container_leaves_metrics_to_the_others() -> None:
    metrics = Metrics("127.0.0.1:0")
    try:
        for number in range(300):
            metrics.write(make_denial(syscall=f"call{number}"))
        for number in range(300):
            claimed = LoggedContainer(id=f"{number:064x}", trusted=False)
            metrics.write(make_denial(container=claimed))
        pod = LoggedContainer(id="d" * 64, name="db", pod="shop-1", namespace="shop")
        metrics.write(make_denial(container=pod))
        text = read_metrics(metrics)
    finally:
        metrics.close()
    counts = [line for line in text.splitlines() if line.startswith("seclatch_denials_total{")]
    assert len([line for line in counts if 'container="web"' in line]) == 101
    (rest,) = [line for line in counts if 'container="web"' in line and 'syscall="other"' in line]
    assert rest.endswith(" 200.0")
    assert len([line for line in counts if 'container="untrusted"' in line]) == 1
    [of_pod] = [line for line in counts if 'container="db"' in line]
    assert 'namespace="shop"' in of_pod and 'pod="shop-1"' in of_pod


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9475", ("127.0.0.1", 9475)),
        (":9475", ("127.0.0.1", 9475)),
        ("localhost:1", ("127.0.0.1", 1)),
        ("0.0.0.0:9475", ("0.0.0.0", 9475)),
        ("[::1]:9475", ("::1", 9475)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "x", "1.2.3:5", "host:99999", ":-1", "a.example:80", "²"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(SeclatchError, match="not an address"):
        parse_address(text)


def test_a_port_in_use_is_refused() -> None:
    metrics = Metrics("127.0.0.1:0")
    try:
        with pytest.raises(SeclatchError, match="serving metrics"):
            Metrics(f"127.0.0.1:{metrics.port}")
    finally:
        metrics.close()
