"""systemd's name service asks sockets where an image has a place for them, and reads files."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.debian.server import unpacked
from tests.scan import traced

GETENT = "/usr/bin/getent"
BY_EVENTS = {"epoll_create1", "epoll_wait", "inotify_init1", "signalfd4", "timerfd_create"}
BY_CONNECTION = {"ppoll", "mkdirat", "unlinkat"}
"""Calls that only libnss_systemd makes, among the libraries that getent loads."""


def scan(root: Path, cache: SummaryCache, *environment: tuple[str, str]) -> set[str]:
    rootfs = Rootfs(root)
    try:
        found = scan_program(rootfs, cache, ScanTarget(GETENT, "a test", environment))
    finally:
        rootfs.close()
    assert any("libnss_systemd" in plugin for plugin in found.plugins)
    return {call.name for call in found.calls}


@pytest.mark.root
def test_users_that_are_in_files_alone(cache: SummaryCache, tmp_path: Path) -> None:
    with unpacked(("libc-bin", "libnss-systemd")) as root:
        (root / "etc/nsswitch.conf").write_text("passwd: files systemd\ngroup: files systemd\n")
        found = scan(root, cache)
        assert not found & (BY_EVENTS | BY_CONNECTION)
        (root / "etc/userdb").mkdir()  # users in files of its own, which it looks for by chase()
        (root / "etc/userdb/some.user").write_text('{"userName": "some", "uid": 70000}')
        for words in (["passwd", "absent"], ["group", "absent"], ["passwd", "some"], ["passwd"]):
            log = tmp_path / "log"
            seen = traced.trace(["chroot", str(root), GETENT, *words], log)
            assert "/run/systemd/userdb" in log.read_text()
            assert seen[GETENT] <= found
        assert scan(root, cache, ("SYSTEMD_LOG_TARGET", "journal")) >= BY_CONNECTION
        (root / "run/systemd/userdb").mkdir(parents=True)
        assert found | BY_EVENTS | BY_CONNECTION <= scan(root, cache)
