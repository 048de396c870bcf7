"""Install for a real dockerd, at the host's own paths."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import require
from tests.engines.docker import Docker
from tests.engines.host import PrivateHost
from tests.engines.installing import SEEN, SOURCES, STRICT, Administrator

CONFIG = "/etc/docker/daemon.json"
FRONT = "/usr/local/lib/seclatch/docker/runc"

PROBE = """
from seclatch.agent.docker_probe import DockerProbe
from seclatch.engines.installation.host_root import HostRoot
DockerProbe(HostRoot()).require_latched_start()
"""

WRITTEN_BY_HAND = """\
{
\t"debug":  true,

\t"runtimes": {"other": {"path": "/usr/bin/crun"}},
\t"default-runtime": "other"}
"""


@pytest.fixture
def dockerd(own_host: PrivateHost, image: Path, tmp_path: Path) -> Iterator[Docker]:
    """Start a dockerd that reads /etc/docker/daemon.json of its private host."""
    require(*Docker.programs)
    path = own_host.path(CONFIG)
    path.parent.mkdir(exist_ok=True)
    path.write_text(WRITTEN_BY_HAND)
    docker = Docker(own_host, {}, config=CONFIG).begin(tmp_path / "dockerd.log")
    docker.load(image)
    yield docker
    docker.stop()


def runtimes(docker: Docker) -> tuple[str, dict[str, dict[str, str]]]:
    info = json.loads(docker.must("info", "--format", "{{json .}}"))
    return info["DefaultRuntime"], info["Runtimes"]


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_a_running_daemon_reloads_and_its_containers_keep_running(
    dockerd: Docker, seclatch: Administrator, runtime: str
) -> None:
    before = seclatch.tree()
    sleeper = dockerd.detach("/bin/sleep", "1000", runtime="runc")
    pid = dockerd.pid(sleeper)
    plain = dockerd.run(*SEEN, runtime=runtime, profile=STRICT) if runtime == "runc" else None
    assert plain is None or plain.returncode != 0

    seclatch.must("install", "docker", "--runtime", runtime)

    default, known = runtimes(dockerd)
    assert default == "other"
    assert known["seclatch"]["path"] == f"/usr/local/lib/seclatch/docker/{runtime}"
    latched = dockerd.run(*SEEN, runtime="seclatch", profile=STRICT)
    assert (latched.returncode, latched.stdout.split()) == (0, ["Seccomp:", "2"]), latched.stderr
    denied = dockerd.run("/bin/mkdir", "/tmp/x", runtime="seclatch", profile=STRICT)
    assert denied.returncode != 0
    assert dockerd.pid(sleeper) == pid

    seclatch.must("uninstall", "docker")

    assert "seclatch" not in runtimes(dockerd)[1]
    assert dockerd.pid(sleeper) == pid
    assert seclatch.tree() == before


def test_default_runtime_is_set_and_restored(dockerd: Docker, seclatch: Administrator) -> None:
    seclatch.must("install", "docker", "--default")
    assert runtimes(dockerd)[0] == "seclatch"
    latched = dockerd.run(*SEEN, profile=STRICT)
    assert (latched.returncode, latched.stdout.split()) == (0, ["Seccomp:", "2"]), latched.stderr
    seclatch.must("uninstall", "docker")
    assert runtimes(dockerd)[0] == "other"
    assert dockerd.host.path(CONFIG).read_text() == WRITTEN_BY_HAND


def test_exec_and_stop_go_through_the_latch(dockerd: Docker, seclatch: Administrator) -> None:
    seclatch.must("install", "docker")
    container = dockerd.detach("/bin/sleep", "1000", runtime="seclatch", profile=STRICT)
    result = dockerd.exec(container, *SEEN)
    assert result.stdout.split() == ["Seccomp:", "2"], result.stderr
    assert dockerd.command("kill", container).returncode == 0
    assert dockerd.wait(container) == 137


def test_removal_is_refused_while_a_container_needs_the_latch(
    dockerd: Docker, seclatch: Administrator
) -> None:
    seclatch.must("install", "docker")
    container = dockerd.detach("/bin/sleep", "1000", runtime="seclatch")
    identity = dockerd.must("inspect", "--format", "{{.Id}}", container)
    before = seclatch.tree()
    for words in (["uninstall", "docker"], ["install", "docker", "--runtime", "crun"]):
        refused = seclatch(*words)
        assert refused.returncode == 125
        assert f"running containers need it: {identity[:12]} (pid " in refused.stderr
        assert identity not in refused.stderr
        assert "what to do: stop them" in refused.stderr
        assert seclatch.tree() == before
    dockerd.remove(container)
    seclatch.must("uninstall", "docker")


def test_second_run_changes_nothing(dockerd: Docker, seclatch: Administrator) -> None:
    seclatch.must("install", "docker", "--default")
    before = seclatch.tree()
    assert seclatch.plan("install", "docker", "--default")["steps"] == []
    assert seclatch.tree() == before
    assert "nothing to do" in seclatch.must("install", "docker", "--default")


def test_dry_run_prints_the_same_plan_and_changes_nothing(
    dockerd: Docker, seclatch: Administrator
) -> None:
    before = seclatch.tree()
    result = seclatch.plan("install", "docker", "--default", "--dry-run")
    assert seclatch.tree() == before
    assert "seclatch" not in runtimes(dockerd)[1]
    done = seclatch.plan("install", "docker", "--default")
    assert result["steps"] == done["steps"]
    assert any("SIGHUP" in step["do"] for step in done["steps"])
    after = seclatch.tree()
    result = seclatch.plan("uninstall", "docker", "--dry-run")
    assert seclatch.tree() == after
    assert result["steps"] == seclatch.plan("uninstall", "docker")["steps"]
    assert seclatch.tree() == before


def test_later_changes_of_others_survive(dockerd: Docker, seclatch: Administrator) -> None:
    seclatch.must("install", "docker", "--default")
    path = dockerd.host.path(CONFIG)
    path.write_text(path.read_text().replace('"debug":  true', '"debug":  false'))
    assert seclatch.plan("install", "docker", "--default")["steps"] != []  # one new record only
    seclatch.must("uninstall", "docker")
    assert path.read_text() == WRITTEN_BY_HAND.replace('"debug":  true', '"debug":  false')
    assert "seclatch" not in runtimes(dockerd)[1]


def test_dockerd_itself_accepts_what_was_written(
    own_host: PrivateHost, seclatch: Administrator
) -> None:
    require("dockerd")
    for text in ("", "{}", '{"log-level": "warn"}', WRITTEN_BY_HAND, "\ufeff{}\n"):
        seclatch.write(CONFIG, text)
        seclatch.must("install", "docker", "--default")
        done = own_host.run("dockerd", "--validate", "--config-file", CONFIG)
        assert done.returncode == 0, done.stderr
        seclatch.must("uninstall", "docker")
        assert own_host.path(CONFIG).read_text() == text


def test_what_dockerd_refuses_is_refused_before_the_first_write(seclatch: Administrator) -> None:
    require("dockerd")
    seclatch.write(CONFIG, '{"no-such-option": 1}')
    before = seclatch.tree()
    refused = seclatch("install", "docker")
    assert refused.returncode == 125
    assert "no-such-option" in refused.stderr
    assert CONFIG in refused.stderr
    assert seclatch.tree() == before


def test_a_flag_that_conflicts_with_the_file_is_refused(
    own_host: PrivateHost, seclatch: Administrator, tmp_path: Path
) -> None:
    require(*Docker.programs)
    flags = ["--add-runtime", "mine=/usr/bin/crun"]
    docker = Docker(own_host, {}, config=CONFIG, flags=flags).begin(tmp_path / "dockerd.log")
    before = seclatch.tree()
    refused = seclatch("install", "docker")
    assert refused.returncode == 125
    assert "--add-runtime" in refused.stderr
    assert seclatch.tree() == before
    docker.stop()


def test_a_plain_latch_runs_the_bare_runtime(dockerd: Docker, seclatch: Administrator) -> None:
    seclatch.must("install", "docker", "--mode", "plain")
    assert dockerd.run("/bin/true", runtime="seclatch").returncode == 0
    # As with the bare runtime, the profile binds the runtime and no container starts.
    assert dockerd.run(*SEEN, runtime="seclatch", profile=STRICT).returncode != 0
    seclatch.must("install", "docker")
    assert dockerd.run(*SEEN, runtime="seclatch", profile=STRICT).returncode == 0


def test_installing_before_the_daemon_runs_takes_effect_at_its_start(
    own_host: PrivateHost, seclatch: Administrator, image: Path, tmp_path: Path
) -> None:
    require(*Docker.programs)
    assert "when one starts" in seclatch.must("install", "docker", "--default")
    docker = Docker(own_host, {}, config=CONFIG).begin(tmp_path / "dockerd.log")
    docker.load(image)
    assert runtimes(docker)[0] == "seclatch"
    assert docker.run(*SEEN, profile=STRICT).stdout.split() == ["Seccomp:", "2"]
    # Without --default dockerd must return to its built-in default, which no file names.
    seclatch.must("install", "docker")
    assert (runtimes(docker)[0], "seclatch" in runtimes(docker)[1]) == ("runc", True)
    seclatch.must("install", "docker", "--default")
    assert runtimes(docker)[0] == "seclatch"
    seclatch.must("uninstall", "docker")
    assert not own_host.path(CONFIG).exists()
    assert (runtimes(docker)[0], "seclatch" in runtimes(docker)[1]) == ("runc", False)
    assert docker.run("/bin/true").returncode == 0
    docker.stop()


def test_a_node_proves_the_latch_by_a_start(dockerd: Docker, seclatch: Administrator) -> None:
    """`seclatch node` without a cluster; the control is the bare runtime in the latch's place."""
    before = seclatch.tree()
    first = seclatch.must("node", "--install", "docker")
    assert "a probe container started latched" in first
    assert "seclatch.io/probe:1" in dockerd.must("images", "--format", "{{.Repository}}:{{.Tag}}")
    assert dockerd.must("ps", "--all", "--quiet") == ""
    front = dockerd.host.path(FRONT)
    shutil.copy("/usr/sbin/runc", front)
    bare = dockerd.host.run(sys.executable, "-c", PROBE, env={"PYTHONPATH": str(SOURCES)})
    assert bare.returncode and "Docker: POST /containers" in bare.stderr
    seclatch.must("node", "--install", "docker", "--remove")
    assert "seclatch.io/probe" not in dockerd.must("images")
    assert seclatch.tree() == before
