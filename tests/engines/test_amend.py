"""A denial of a Docker container: watched, amended, and gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from seclatch.model.denial_log import encode_line
from tests.engines.docker import Docker
from tests.engines.test_watch import WatchInside, watch  # noqa: F401 (a fixture)
from tests.watch.conftest import Watched

MAKE = ("/bin/sh", "-c", "mkdir /tmp/new && sync")


def seclatch(*words: str | Path) -> None:
    command = [sys.executable, "-m", "seclatch", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True)


def watch_one_start(docker: Docker, watch: WatchInside, profile: Path) -> tuple[str, Watched]:
    with watch("--profile", profile) as watched:
        name = docker.detach("/bin/sh", "-c", f"{MAKE[2]}; exec sleep 1000", profile=profile)
        docker.exec(name, "/bin/true")
    return name, watched


def test_a_denied_call_is_allowed_by_the_amended_profile(
    docker: Docker,
    watch: WatchInside,
    tmp_path: Path,
) -> None:
    less, more = tmp_path / "less.json", tmp_path / "more.json"
    deny = ("--deny", "mkdir", "--deny", "mkdirat")
    seclatch("profile", "derive", "docker-default", *deny, "-o", less)
    assert docker.run(*MAKE, profile=less).returncode != 0
    name, watched = watch_one_start(docker, watch, less)
    log = tmp_path / "watch.log"
    log.write_bytes(b"".join(map(encode_line, watched.lines)))
    seclatch("amend", less, "--watch-log", log, "--container", name, "--yes", "-o", more)
    done = docker.run(*MAKE, profile=more)
    assert done.returncode == 0, done.stderr
    docker.clear()
