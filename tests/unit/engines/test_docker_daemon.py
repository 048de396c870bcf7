from __future__ import annotations

import json
from pathlib import Path

import pytest

from seclatch.engines.docker_daemon import SOCKET, DockerDaemon, make_interim_file, read_daemon
from seclatch.engines.installation.file_change import FileState
from seclatch.errors import SeclatchError


def test_flag_values_are_read_in_both_forms() -> None:
    daemon = DockerDaemon(1, ("-H", "unix:///a", "--host=unix:///b", "-H", "fd://", "--host"))
    assert daemon.values("-H", "--host") == ["unix:///a", "unix:///b", "fd://", ""]
    assert daemon.sockets() == ["/a", "/b"]
    assert DockerDaemon(1, ("-H", "fd://")).sockets() == [SOCKET]


def test_a_key_that_is_also_a_flag_is_refused() -> None:
    daemon = DockerDaemon(7, ("--default-runtime=crun",))
    daemon.refuse_conflicts({"runtimes": {}})
    with pytest.raises(SeclatchError, match=r"pid 7.*--default-runtime"):
        daemon.refuse_conflicts({"default-runtime": "seclatch"})


@pytest.mark.parametrize(
    ("before", "after", "interim"),
    [
        ({"runtimes": {"s": {}}}, {"runtimes": {}}, None),
        ({"runtimes": {"s": {}}}, {"debug": True}, {"debug": True, "runtimes": {}}),
        ({"default-runtime": "s"}, {}, {"default-runtime": "runc"}),
        ({"runtimes": {"s": {}}}, None, {"runtimes": {}}),
        ({"debug": True}, {"debug": True, "runtimes": {"s": {}}}, None),
    ],
)
def test_a_removed_key_is_reset_to_the_built_in_value(
    before: dict[str, object], after: dict[str, object] | None, interim: object
) -> None:
    states = [
        None if keys is None else FileState(json.dumps(keys).encode()) for keys in (before, after)
    ]
    state = make_interim_file(*states)
    assert (json.loads(state.content) if state else None) == interim


def test_processes_of_any_name_are_told_from_a_daemon(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/comm").write_bytes(b"p\xff\xfe\n")
    (tmp_path / "7/cmdline").write_bytes(b"dockerd\0-D\0")
    assert read_daemon(tmp_path / "7") is None
    (tmp_path / "7/comm").write_bytes(b"dockerd\n")
    assert read_daemon(tmp_path / "7") == DockerDaemon(7, ("-D",))
