"""The agent's recorder, its downgrade, and a reboot: on a host whose disk is kept."""

from __future__ import annotations

import fcntl
from typing import Any

from seclatch.engines.installation.install_record import record_path
from seclatch.engines.services.annotation_recorder import LIMITS, PROGRAM
from seclatch.model.recorder_limits import DIRECTORY
from seclatch.recording.files import recording_file
from seclatch.runtime.find_latch import find_latch
from tests.agent.agent_host import ROOT, AgentHost
from tests.agent.conftest import Machine
from tests.agent.recorded_pods import RECORDED, await_answer, await_complete, kept, start_pod
from tests.engines.image import IMAGE
from tests.engines.installing import SEEN
from tests.watch.booted_systemd import wait_for

FRONT = "/usr/local/lib/seclatch/containerd/runc"
BITS = (2, 19, 38, 39)  # DAC_READ_SEARCH, SYS_PTRACE, PERFMON, BPF


def run_two_agents(host: AgentHost, *words: str) -> list[dict[str, Any]]:
    """Run a round of two agents that come to the host's lock at once; return what they print."""
    lock = host.booted.path("/run/seclatch/node.lock")
    lock.parent.mkdir(exist_ok=True)

    def waits(name: str) -> bool:
        folder = host.booted.path(f"/proc/{host.find_pid(name)}/fd")
        return any("node.lock" in str(path.readlink()) for path in folder.iterdir())

    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        names = [host.start_agent("--once", "--json", *words) for _ in range(2)]
        for name in names:
            wait_for(lambda name=name: waits(name), f"{name} to wait: {host.text(name)}")
    for name in names:
        wait_for(lambda name=name: "STOPPED" in host.state(name), f"{name} to end")
        host.ctr("task", "rm", name, status=None)
    return [host.lines(name)[0] for name in names]


def test_the_agent_s_recorder_records_pods(agent_host: AgentHost) -> None:
    """It waits for the latch, survives being killed, and leaves an administrator's alone."""
    host, booted = agent_host, agent_host.booted
    waiting = host.start_recorder()
    wait_for(lambda: "waiting: process 1 has no" in host.text(waiting), host.text(waiting))
    first, second = run_two_agents(host, "--record-annotations")
    for done in (first, second):  # a slow host has the second give up
        assert done["ready"] or "another `seclatch node`" in done["problem"], done
    assert [first["restarted"], second["restarted"]].count(True) == 1, (first, second)
    assert host.api.labels["seclatch.io/latch"] == "ready"
    await_answer(host, waiting)
    facts = host.read_status(waiting)
    assert int(facts["CapEff"], 16) == sum(1 << bit for bit in BITS) == int(facts["CapBnd"], 16)
    assert facts["Seccomp"] == "2"

    pod, container = start_pod(host, "shop", RECORDED)
    assert pod.execute(container, *SEEN)[1].split() == ["Seccomp:", "2"]
    [state] = booted.path(DIRECTORY).glob(".running-*")
    wait_for(lambda: '"identity":{' in state.read_text(), "the container to be entered")
    host.kill_container(waiting)
    assert pod.execute(container, "/bin/true")[0] == 0  # nothing waits for a recorder
    again = host.start_recorder()
    await_answer(host, again)
    assert pod.execute(container, "/bin/exit42")[0] == 42
    pod.remove()
    path = await_complete(host, again)
    recording = recording_file.read_recording(path)
    assert len(recording.gaps) == 1
    assert {image.argv[0] for each in recording.processes for image in each.images} >= {
        "/bin/sleep",
        "/bin/exit42",
    }
    [one] = recording.containers
    assert (str(one.pod), one.image and one.image.name) == ("default/shop/web", IMAGE), one
    path.unlink()

    booted.path(PROGRAM).write_text("#!/bin/sh\n")
    wait_for(lambda: "STOPPED" in host.state(again), f"it to leave: {host.text(again)}", 20)
    other = host.start_recorder()
    wait_for(lambda: "a recorder of its own" in host.text(other), host.text(other))
    booted.path(PROGRAM).unlink()
    await_answer(host, other)

    # as after `kubectl apply` of a manifest without --record
    [done] = host.run_agent()
    assert done["ready"] and done["restarted"], done
    assert not any(booted.path(path).exists() for path in (LIMITS, f"{FRONT}.record"))
    wait_for(lambda: "STOPPED" in host.state(other), f"it to end: {host.text(other)}", 20)


def test_an_older_agent_and_a_newer_one(agent_host: AgentHost) -> None:
    """Its own latch replaces the newer one under pods that run, and the other way round.

    The older release is this one with another latch: the file is replaced, not its behaviour.
    """
    host, booted = agent_host, agent_host.booted
    pod, container = start_pod(host, "upgraded", {})
    ours = booted.path(FRONT).read_bytes()
    booted.path("/run/other-latch").write_bytes(ours + bytes(8))
    booted.path("/run/other-latch").chmod(0o755)
    inside = f"{ROOT}{find_latch('runc')}"
    booted.run("mount", "--bind", "/run/other-latch", inside)
    [done] = host.run_agent()
    assert done["ready"] and done["probed"] and not done["restarted"], done["problem"]
    assert [line for line in done["changed"] if FRONT in line] == done["changed"] != []
    assert booted.path(FRONT).read_bytes() == ours + bytes(8)
    assert pod.execute(container, *SEEN)[1].split() == ["Seccomp:", "2"]
    pod.remove()  # by the older latch, and it had been started by the newer one
    booted.run("umount", inside)

    # A release whose record of the installation this one cannot read: nothing is changed.
    record = booted.path(record_path("containerd"))
    known = record.read_bytes()
    record.write_bytes(known.replace(b'"version": 2', b'"version": 3'))
    [refused] = host.run_agent()
    assert not refused["ready"] and refused["label"] == "removed", refused
    assert "use the version of seclatch that installed it" in host.text(host.last)
    assert booted.path(FRONT).read_bytes() == ours + bytes(8)
    pod, container = start_pod(host, "waits", {})
    pod.remove()
    record.write_bytes(known)
    [done] = host.run_agent()
    assert done["ready"] and booted.path(FRONT).read_bytes() == ours, done


def test_a_reboot(machine: Machine, agent_host: AgentHost) -> None:
    """The last of this file: the power fails, and the host boots again from its disk.

    Latch and configuration are on disk, so pods start latched before an agent does; what needs the
    recorder starts unrecorded, and the recording that was cut off is whole as of its last save.
    """
    [done] = agent_host.run_agent("--record-annotations")
    assert done["ready"], done
    recorder = agent_host.start_recorder()
    await_answer(agent_host, recorder)
    start_pod(agent_host, "cut-off", RECORDED)
    wait_for(lambda: kept(agent_host), f"the first save: {agent_host.text(recorder)}")
    agent_host.booted.kill()
    with machine.boot() as host:
        assert host.booted.show("containerd", "ActiveState") == "active"
        pod, container = start_pod(host, "early", RECORDED)
        assert pod.execute(container, *SEEN)[1].split() == ["Seccomp:", "2"]
        journal = host.booted.run("journalctl", "--no-pager", "--boot", "-t", "seclatch")
        assert "not recorded" in journal and "the container starts without it" in journal
        pid = host.main_pid()
        [done] = host.run_agent("--record-annotations")
        assert (done["ready"], done["changed"], done["probed"]) == (True, [], True), done
        assert host.main_pid() == pid and not done["restarted"]
        recorder = host.start_recorder()
        await_answer(host, recorder)
        [path] = kept(host)
        assert not recording_file.read_recording(path).complete
        assert "its container ended while no recorder ran" in host.text(recorder)
        later, _ = start_pod(host, "later", RECORDED)
        later.remove()
        wait_for(lambda: len(kept(host)) == 2, f"a recording: {host.text(recorder)}")
