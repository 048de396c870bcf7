"""Real servers are tightened under traffic: no request fails, and every process is bound.

`make traffic` does it to seven.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path

import pytest

from tests.debian.server import SECLATCH
from tests.tighten.binding import count_filters
from tests.tighten.tighten_server import OWN, learn, started, tighten_under_traffic, train
from tests.tighten.traffic import Traffic
from tests.tighten.traffic_programs import make_nginx, make_redis

pytestmark = [pytest.mark.root, pytest.mark.timeout(400)]

# postgres does not start without prctl(2), and others do their work without
NO_PRCTL = {"names": ["prctl"], "action": "SCMP_ACT_ERRNO"}
STRICT = {**OWN, "syscalls": [*OWN["syscalls"], NO_PRCTL]}
MAKERS = {"nginx": make_nginx, "redis": make_redis}


@pytest.mark.parametrize("name", MAKERS)
def test_a_profile_that_was_learnt_from_it(root: Path, tmp_path: Path, name: str) -> None:
    """Recorded, generated, put on under other traffic, and again as one that kills."""
    program = MAKERS[name]()
    with started(program, root, STRICT) as (server, bundle):
        for number, done in enumerate(tighten_under_traffic(program, server, bundle, tmp_path)):
            assert done.failed == []
            assert done.connections >= len(program.requests)
            living = [pid for pid in done.pids if Path(f"/proc/{pid}").exists()]
            assert living and {count_filters(pid) for pid in living} == {2 + number}
    rules = json.loads((tmp_path / "running.json").read_text())["syscalls"]
    allowed = [rule["names"] for rule in rules if rule["action"] == "SCMP_ACT_ALLOW"]
    assert not {"execve", "bind", "listen", "mount"}.intersection(itertools.chain(*allowed))


def test_redis_without_accept_is_found_in_the_rehearsal(root: Path, tmp_path: Path) -> None:
    """A profile learnt from clients that stay connected: put on, it would refuse each new one."""
    redis, profile = make_redis(), tmp_path / "running.json"
    with started(redis, root, STRICT) as (server, bundle):
        learn(bundle, lambda: train(redis, server.folder), profile)
        document = json.loads(profile.read_text())
        for rule in document["syscalls"]:
            rule["names"] = [each for each in rule["names"] if each not in ("accept", "accept4")]
        profile.write_text(json.dumps(document))
        words = [SECLATCH, "tighten", bundle.id, "--profile", profile, "--rehearse"]
        refused = subprocess.run(
            [*map(str, words), "5s"], capture_output=True, text=True, check=False
        )
        assert refused.returncode == 2 and "would get no connection" in refused.stderr
        with Traffic(redis, server.folder) as traffic:
            done = subprocess.run(
                [*map(str, words), "5s", "--insist"], capture_output=True, text=True, check=False
            )
        assert done.returncode == 125, done.stderr
        assert "accept4: would be denied" in done.stderr and "not put on" in done.stderr
        redis.program.work(server.folder)
        assert traffic.failed == []
