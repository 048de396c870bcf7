"""Denial logs: equal lines are summed up; what cannot be read is counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError, SeclatchError
from seclatch.model.denial_log import LoggedContainer, LoggedHost
from seclatch.profile.amend import denial_log_file
from seclatch.profile.amend.denial_log_file import DenialLog, read_denial_log
from seclatch.profile.amend.select_denials import DenialSources, list_denials, select_container
from tests.unit.profile.amendments import event, line
from tests.unit.recordings import recording

OTHER = LoggedContainer(id="d" * 64, name="db", image="postgres:17")


def read(tmp_path: Path, *lines: bytes) -> DenialLog:
    file = tmp_path / "web.log"
    file.write_bytes(b"".join(lines))
    return read_denial_log(file)


def test_equal_denials_are_summed_up(tmp_path: Path) -> None:
    log = read(tmp_path, line("fcntl", 3, 1, count=2), line("fcntl", 9, 1), line("fcntl", 3, 2))
    assert [(group.seen.selector, group.seen.count) for group in log.groups] == [(1, 3), (2, 1)]
    seen = log.groups[0].seen
    assert (seen.container, seen.exe, seen.logged) == ("web", "/usr/sbin/nginx", False)


def test_audit_lines_have_no_arguments(tmp_path: Path) -> None:
    log = read(tmp_path, line("fcntl", args=None, answer="log", stage="exec-session", exe=""))
    [group] = log.groups
    assert group.seen.args is None and group.seen.selector is None
    assert group.seen.logged and group.seen.session and group.seen.exe == "nginx"


@pytest.mark.parametrize(
    "bad",
    [
        line("mkdir")[:-40] + b"\n",
        b"\0\n",
        b"x" * (1 << 17) + b"\n",
        line("mkdir", args=["0x1"]),
        line("mkdir", args=["0x1"] * 5 + ["-0x1"]),
        line("mkdir", until="yesterday"),
        line("mkdir").replace(b"denial-log/1", b"denial-log/9"),
    ],
)
def test_a_bad_line_is_counted_and_the_rest_is_read(tmp_path: Path, bad: bytes) -> None:
    log = read(tmp_path, line("mkdir"), bad, line("rmdir"))
    assert log.unread == [2]
    assert [group.seen.name for group in log.groups] == ["mkdir", "rmdir"]


def test_a_last_line_without_its_end_is_counted(tmp_path: Path) -> None:
    assert read(tmp_path, line("mkdir"), line("rmdir")[:-9]).unread == [2]


@pytest.mark.parametrize("content", [b"", b"not a log\n", b'{"schema": 1}\n', b"\xff" * 9])
def test_a_file_that_is_no_log_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="not a denial log"):
        read(tmp_path, content)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read it"):
        read_denial_log(tmp_path / "none")


def test_a_log_of_too_many_kinds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denial_log_file, "MAX_KINDS", 2)
    with pytest.raises(InputError, match="more than 2 distinct denials"):
        read(tmp_path, line("mkdir"), line("rmdir"), line("chmod"))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    log = read(tmp_path_factory.getbasetemp(), line("mkdir"), data)
    assert log.lines == 1 and len(log.groups) == 1


def sources(*logs: DenialLog) -> DenialSources:
    return DenialSources({}, list(logs))


def test_a_container_is_chosen_by_name_or_id(tmp_path: Path) -> None:
    for word in ("db", "d" * 12):
        found = sources(read(tmp_path, line("mkdir"), line("rmdir", container=OTHER)))
        select_container(found, word, None)
        assert [seen.name for seen in list_denials(found, lambda _: False)] == ["rmdir"]


def test_a_container_that_is_not_there_is_an_error_with_those_that_are(tmp_path: Path) -> None:
    found = sources(read(tmp_path, line("mkdir"), line("rmdir", container=OTHER)))
    with pytest.raises(SeclatchError, match=r"no denial of container gone in .*web\.log") as raised:
        select_container(found, "gone", None)
    assert raised.value.remedy == "there are denials of web (nginx:1), db (postgres:17)"


def test_denials_of_several_programs_are_not_mixed(tmp_path: Path) -> None:
    log = read(tmp_path, line("mkdir"), line("rmdir", container=OTHER))
    with pytest.raises(
        SeclatchError, match=r"several programs: web \(nginx:1\), db \(postgres:17\)"
    ):
        select_container(sources(log), None, None)
    select_container(sources(log), None, "postgres:17")
    assert [group.seen.name for group in log.groups] == ["rmdir"]


def test_containers_of_one_image_belong_together(tmp_path: Path) -> None:
    replica = LoggedContainer(id="e" * 64, name="web-2", image="nginx:1")
    log = read(tmp_path, line("mkdir"), line("rmdir", container=replica))
    select_container(sources(log), None, None)
    assert len(log.groups) == 2


def test_exec_sessions_can_be_left_out(tmp_path: Path) -> None:
    log = read(tmp_path, line("mkdir"), line("rmdir", stage="exec-session"))
    found = list_denials(sources(log), lambda seen: seen.session)
    assert [seen.name for seen in found] == ["mkdir"]


def test_events_and_hosts_are_kept(tmp_path: Path) -> None:
    other = LoggedHost(name="web2", id="2" * 32, boot="c")
    log = read(tmp_path, event("begin", "2026-11-27T10:00:00Z"), line("mkdir", host=other))
    assert [host.name for host in log.hosts] == ["web1", "web2"]
    assert [each.event for each in log.events] == ["begin"]


def test_a_recording_counts_as_a_source_of_its_containers() -> None:
    select_container(DenialSources({"r": recording([])}, []), None, None)
