"""The agent in a container, with a real containerd and systemd, and a mock of the API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.agent_host import CONFIG, TEXT, AgentHost
from tests.agent.api_server import TOKEN
from tests.engines.installing import SEEN, STRICT
from tests.watch.booted_systemd import wait_for


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

    [second] = host.run_agent()
    assert (second["changed"], second["restarted"], second["probed"]) == ([], False, True)
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


@pytest.fixture
def running(agent_host: AgentHost) -> Iterator[str]:
    agent_host.api.requests.clear()
    name = agent_host.start_agent("--every=300ms", "--json")
    agent_host.await_line(name, ready=True, label="set")
    yield name
    agent_host.stop_agent(name)


def test_failures_and_recovery(agent_host: AgentHost, running: str) -> None:
    """Each failure takes the label away; the next good round brings it back."""
    host, booted = agent_host, agent_host.booted
    booted.run("systemctl", "stop", "containerd")
    down = host.await_line(running, ready=False, label="removed")
    assert "containerd.sock" in down["problem"]
    booted.run("systemctl", "start", "containerd")
    host.await_line(running, ready=True, label="set", probed=True)

    # another tool writes the configuration anew, and restarts containerd
    booted.path(CONFIG).write_text(TEXT)
    booted.run("systemctl", "restart", "containerd")
    mended = host.await_line(running, restarted=True)
    assert mended["ready"] and mended["probed"], mended
    assert "seclatch" in booted.path(CONFIG).read_text()
    # the API server refuses: the agent says so and goes on
    host.api.status = 403
    booted.run("systemctl", "stop", "containerd")
    wait_for(lambda: "HTTP 403" in host.text(running), "the refusal")
    host.api.status = 200
    host.await_line(running, ready=False, label="removed")
    booted.run("systemctl", "start", "containerd")
    host.await_line(running, ready=True, label="set")


def test_a_daemon_older_than_its_files_is_restarted(agent_host: AgentHost) -> None:
    """An agent was killed between its change and the restart, or an administrator forgot it."""
    host = agent_host
    assert host.run_agent(label=False)[0]["ready"]
    changed = host.booted.path(CONFIG).read_text()
    host.booted.path(CONFIG).write_text(TEXT)
    host.booted.run("systemctl", "restart", "containerd")
    host.booted.path(CONFIG).write_text(changed)
    pid = host.main_pid()
    [done] = host.run_agent(label=False)
    assert done["ready"] and done["restarted"] and done["changed"] == [], done
    assert host.main_pid() != pid


def test_a_containerd_that_does_not_come_back_gets_its_former_configuration(
    agent_host: AgentHost,
) -> None:
    """It is not broken again each round; a change of its configuration is tried."""
    host, booted = agent_host, agent_host.booted
    booted.path(CONFIG).write_text(TEXT)
    guard = booted.path("/etc/systemd/system/containerd.service.d/guard.conf")
    guard.parent.mkdir(parents=True, exist_ok=True)
    check = "/bin/sh -c '! grep -q seclatch/containerd /etc/containerd/config.toml'"
    guard.write_text(f"[Service]\nExecStartPre={check}\nRestart=no\n")
    booted.run("systemctl", "daemon-reload")
    booted.run("systemctl", "restart", "containerd")
    name = host.start_agent("--every=300ms", "--json", label=False)
    refused = host.await_line(name, ready=False)
    assert "it runs again with its former configuration" in refused["problem"], refused
    assert booted.path(CONFIG).read_text() == TEXT
    pid = host.main_pid()
    assert pid != "0"
    for _ in range(2):
        assert host.await_line(name, ready=False)["problem"] == refused["problem"]
    assert host.main_pid() == pid
    guard.unlink()
    booted.run("systemctl", "daemon-reload")
    booted.path(CONFIG).write_text(TEXT + "# mended\n")
    assert host.await_line(name, ready=True)["restarted"]
    host.stop_agent(name)
