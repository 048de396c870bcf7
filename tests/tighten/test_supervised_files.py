"""Files that the supervisor reads and writes: profiles, sessions' filters, logs, config.json."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seclatch.errors import SeclatchError
from seclatch.recording.ready.ready_condition import EngineContainer
from seclatch.system.procfs import read_start
from seclatch.tighten.automatic.container_notify import add_notify_socket
from seclatch.tighten.automatic.engine_client import read_podman_options
from seclatch.tighten.automatic.pod_log import PodLogPattern
from seclatch.tighten.automatic.profile_directory import read_running_profile
from seclatch.tighten.automatic.session_filter import (
    remove_session_filter,
    remove_stale_filters,
    write_session_filter,
)
from seclatch.tighten.automatic.started_container import read_front_identifier

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="the directory must be root's")


class NoView:
    """A container without an engine that could be asked."""

    containers: tuple[EngineContainer, ...] = ()

    def list_pids(self) -> list[int]:
        return []


@root_only
@pytest.mark.root
class TestProfileDirectory:
    """Only what nobody but root can change is read."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "running"
        folder.mkdir(mode=0o755)
        (folder / "web.json").write_text("{}")
        return folder

    def test_a_profile_is_read(self, folder: Path) -> None:
        source = read_running_profile(str(folder), "web")
        assert (source.name, source.data) == (f"{folder}/web.json", b"{}")

    def test_a_link_is_not_followed(self, folder: Path, tmp_path: Path) -> None:
        (folder / "link.json").symlink_to("web.json")
        (tmp_path / "other").symlink_to(folder)
        for place, name in ((folder, "link"), (tmp_path / "other", "web")):
            with pytest.raises(SeclatchError) as raised:
                read_running_profile(str(place), name)
            assert "no symbolic links" in raised.value.remedy

    @pytest.mark.parametrize("mode", [0o775, 0o757])
    @pytest.mark.parametrize("name", [".", "web.json"])
    def test_others_may_not_write(self, folder: Path, name: str, mode: int) -> None:
        (folder / name).chmod(mode)
        with pytest.raises(SeclatchError, match="others than root"):
            read_running_profile(str(folder), "web")

    @pytest.mark.parametrize("name", [".", "web.json"])
    def test_it_is_root_s(self, folder: Path, name: str) -> None:
        os.chown(folder / name, 1000, 1000)
        with pytest.raises(SeclatchError, match="belongs to user 1000"):
            read_running_profile(str(folder), "web")

    def test_no_pipe_and_no_directory(self, folder: Path) -> None:
        os.mkfifo(folder / "pipe.json")
        (folder / "folder.json").mkdir()
        for name in ("pipe", "folder"):
            with pytest.raises(SeclatchError, match="no regular file"):
                read_running_profile(str(folder), name)

    def test_one_of_sane_size(self, folder: Path) -> None:
        (folder / "web.json").write_bytes(b" " * ((2 << 20) + 1))
        with pytest.raises(SeclatchError, match="larger than 2 MiB"):
            read_running_profile(str(folder), "web")


def test_stale_filters_go(tmp_path: Path) -> None:
    write_session_filter("alive", os.getpid(), b"8 bytes.", 0, tmp_path)
    write_session_filter("ended", (1 << 22) - 1, b"8 bytes.", 0, tmp_path)
    (tmp_path / "other").write_bytes(b"")
    (tmp_path / ".new.0123456789ab").write_bytes(b"")  # that another supervisor is writing
    assert (tmp_path / "alive").read_bytes()[:8] == b"SESSION1"
    assert read_start(os.getpid()).to_bytes(8, "little") in (tmp_path / "alive").read_bytes()
    remove_stale_filters(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"alive", ".new.0123456789ab"}
    remove_session_filter("alive", tmp_path)
    assert not (tmp_path / "alive").exists()


def test_the_log_of_a_pod_s_container(tmp_path: Path) -> None:
    """The last start's file, without what the kubelet puts before a line, also once rotated."""
    (tmp_path / "9.log").write_text("2026-01-01T00:00:00Z stdout F up\n")
    log = tmp_path / "10.log"
    log.write_text("2026-01-01T00:00:00Z stdout F booting up\n2026-01-01T00:00:00Z std")
    pattern = PodLogPattern("log:^up$", "^up$", tmp_path)
    view = NoView()
    assert not pattern.is_met(view)
    with log.open("a") as file:
        file.write("out F down\n")
    assert not pattern.is_met(view)
    log.rename(tmp_path / "10.log.20260101")
    assert not pattern.is_met(view)
    log.write_text("2026-01-01T00:00:01Z stderr F up\n")
    assert pattern.is_met(view)
    pattern.close()


def test_the_socket_is_added_to_a_configuration() -> None:
    config = {"process": {"args": ["a"], "env": ["A=1"]}, "mounts": [{"destination": "/dev"}]}
    made = add_notify_socket(config, Path("/run/x"))
    assert made["process"]["env"] == ["A=1", "NOTIFY_SOCKET=/dev/seclatch-notify/socket"]
    assert [each["destination"] for each in made["mounts"]] == ["/dev", "/dev/seclatch-notify"]
    with pytest.raises(SeclatchError, match="set already"):
        add_notify_socket(made, Path("/run/x"))
    with pytest.raises(SeclatchError):
        add_notify_socket({"process": None}, Path("/run/x"))


def test_podman_s_options_from_its_monitor() -> None:
    words = ["conmon", "-c", "x", "--exit-command", "/usr/bin/podman"]
    for word in ("--root", "/r", "--log-level", "warning", "container", "cleanup", "x"):
        words += ["--exit-command-arg", word]
    assert read_podman_options(words) == ["--root", "/r", "--log-level", "warning"]
    assert read_podman_options(words[:8]) == []


@pytest.mark.parametrize(
    ("words", "name"),
    [(("runc", "create", "c1"), "c1"), (("runc", "a/b"), ""), (("runc", ".."), ""), ((), "")],
)
def test_the_container_s_name(words: tuple[str, ...], name: str) -> None:
    assert read_front_identifier(words) == name
