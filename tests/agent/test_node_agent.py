"""The agent in a container, with a real containerd and systemd, and a mock of the API server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.agent.agent_host import CONFIG, TEXT, AgentHost
from tests.agent.api_server import TOKEN
from tests.engines.installing import SEEN, STRICT
from tests.watch.booted_systemd import BootedSystemd, wait_for


def test_from_nothing_to_a_latched_pod_and_back(agent_host: AgentHost) -> None:
    """One restart; a pod from before stays; then nothing is changed; then all is undone."""
    host = agent_host
    kubelet = host.connect()
    before = kubelet.run_pod("before", "runc", {})
    container = before.start("/bin/sleep", "1000", profile=None)
    pid = host.main_pid()
    [first] = host.run_agent()
    assert first["ready"] and first["restarted"] and first["probed"], first
    assert first["label"] == "set"
    [request] = host.api.requests  # the recorded exchange with the mock
    assert request["path"] == "/api/v1/nodes/n1?fieldManager=seclatch"
    assert request["headers"]["Authorization"] == f"Bearer {TOKEN}"
    assert request["headers"]["Content-Type"] == "application/merge-patch+json"
    assert request["body"] == {"metadata": {"labels": {"seclatch.io/latch": "ready"}}}
    assert host.api.labels == {"kubernetes.io/os": "linux", "seclatch.io/latch": "ready"}
    restarted = host.main_pid()
    assert restarted != pid
    assert before.execute(container, "/bin/exit42")[0] == 42

    # as on a new node while the registry is down: the latch is there, and the label not set
    host.booted.path("/run/profiles.list").write_text(f"web localhost:1/web@sha256:{'0' * 64}\n")
    words = ["--profiles=/host/run/profiles.list", "--allow-unsigned", "--plain-http"]
    second, profiles = host.run_agent(*words)
    assert (second["changed"], second["restarted"], second["probed"]) == ([], False, True)
    assert second["label"] == "" and len(profiles["failed"]) == 1
    assert host.main_pid() == restarted

    place = Path("/run/strict.json")
    host.booted.path(str(place)).write_bytes(STRICT.read_bytes())
    pod = kubelet.run_pod("latched", "seclatch", {})
    latched = pod.start("/bin/sleep", "1000", profile=place)
    assert pod.execute(latched, *SEEN)[1].split() == ["Seccomp:", "2"]
    name = host.start_agent("--once", "--remove")
    wait_for(lambda: "STOPPED" in host.state(name), "the removal to be refused")
    assert "pod default/latched (pid " in host.text(name)
    assert host.api.patches()[-1] is None  # no new pod comes here
    pod.remove()
    name = host.start_agent("--once", "--remove")
    wait_for(lambda: "STOPPED" in host.state(name), "the removal")
    assert "the latch is not installed" in host.text(name), host.text(name)
    assert host.booted.path(CONFIG).read_text() == TEXT
    assert not host.booted.path("/usr/local/lib/seclatch").exists()
    assert "seclatch.io/probe" not in host.ctr("--namespace", "k8s.io", "images", "ls", "-q")
    assert before.execute(container, "/bin/exit42")[0] == 42
    before.remove()
    kubelet.channel.close()


@pytest.fixture(scope="module")
def running(agent_host: AgentHost) -> Iterator[str]:
    agent_host.api.requests.clear()
    name = agent_host.start_agent("--every=200ms", "--json")
    agent_host.await_line(name, ready=True, label="set")
    yield name
    agent_host.stop_agent(name)


def test_containerd_goes_and_comes(agent_host: AgentHost, running: str) -> None:
    """The label goes with it; the next good probe brings it back. The API server may refuse."""
    host, booted = agent_host, agent_host.booted
    host.api.status = 403
    booted.run("systemctl", "stop", "containerd")
    down = host.await_line(running, ready=False)
    assert "containerd.sock" in down["problem"]
    wait_for(lambda: "HTTP 403" in host.text(running), "the refusal")
    host.api.status = 200
    host.await_line(running, ready=False, label="removed")
    booted.run("systemctl", "start", "containerd")
    host.await_line(running, ready=True, label="set", probed=True)


def test_another_tool_writes_the_configuration(agent_host: AgentHost, running: str) -> None:
    with host_changes(agent_host, running) as booted:
        booted.path(CONFIG).write_text(TEXT)
        booted.run("systemctl", "restart", "containerd")
    mended = agent_host.await_line(running, restarted=True)
    assert mended["ready"] and mended["probed"] and mended["changed"], mended
    assert "seclatch" in agent_host.booted.path(CONFIG).read_text()


def test_a_daemon_older_than_its_files_is_restarted(agent_host: AgentHost, running: str) -> None:
    """An agent was killed between its change and the restart, or an administrator forgot it."""
    with host_changes(agent_host, running) as booted:
        changed = booted.path(CONFIG).read_text()
        booted.path(CONFIG).write_text(TEXT)
        booted.run("systemctl", "restart", "containerd")
        booted.path(CONFIG).write_text(changed)
        pid = agent_host.main_pid()
    done = agent_host.await_line(running, restarted=True)
    assert done["ready"] and done["changed"] == [], done
    assert agent_host.main_pid() != pid


def test_a_full_disk_leaves_all_as_it_was(agent_host: AgentHost, running: str) -> None:
    """There is no room for the latch; when there is, it comes."""
    place = "/usr/local/lib/seclatch/containerd"
    with host_changes(agent_host, running) as booted:
        booted.run("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", place)
        before, pid = booted.path(CONFIG).read_text(), agent_host.main_pid()
    refused = agent_host.await_line(running, ready=False, label="removed")
    assert "No space left on device" in refused["problem"], refused
    assert booted.path(CONFIG).read_text() == before and agent_host.main_pid() == pid
    booted.run("umount", "--lazy", place)  # the agent may be writing there
    agent_host.await_line(running, ready=True, label="set", restarted=False)


def test_a_containerd_that_does_not_come_back_gets_its_former_configuration(
    agent_host: AgentHost, running: str
) -> None:
    """It is not broken again each round; a change of its configuration is tried."""
    host = agent_host
    guard = host.booted.path("/etc/systemd/system/containerd.service.d/guard.conf")
    guard.parent.mkdir(parents=True, exist_ok=True)
    check = "/bin/sh -c '! grep -q seclatch/containerd /etc/containerd/config.toml'"
    with host_changes(host, running) as booted:
        booted.path(CONFIG).write_text(TEXT)
        booted.run("rm", "-r", "/usr/local/lib/seclatch", "/var/lib/seclatch")
        guard.write_text(f"[Service]\nExecStartPre={check}\nRestart=no\n")
        booted.run("systemctl", "daemon-reload")
        booted.run("systemctl", "restart", "containerd")
    refused = host.await_line(running, ready=False)
    assert "it runs again with its former configuration" in refused["problem"], refused
    assert booted.path(CONFIG).read_text() == TEXT
    pid = host.main_pid()
    assert pid != "0"
    for _ in range(2):
        assert host.await_line(running, ready=False)["problem"] == refused["problem"]
    assert host.main_pid() == pid
    guard.unlink()
    booted.run("systemctl", "daemon-reload")
    booted.path(CONFIG).write_text(TEXT + "# mended\n")
    assert host.await_line(running, ready=True)["restarted"]


@contextmanager
def host_changes(host: AgentHost, agent: str) -> Iterator[BootedSystemd]:
    """Change the host while the agent is stopped, and read its lines from then on."""
    pid = host.state(agent).split()[1]
    host.booted.run("kill", "-STOP", pid)
    yield host.booted
    host.read[agent] = len(host.lines(agent))
    host.booted.run("kill", "-CONT", pid)
