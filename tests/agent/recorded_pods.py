"""Pods that ask for a recording, and the recorder in a container that makes it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.model.recorder_limits import DIRECTORY
from seclatch.recording.files import recording_file
from seclatch.system.recorder_client import DEFAULT_SOCKET, ask_recorder
from tests.agent.agent_host import AgentHost
from tests.engines.cri import Pod
from tests.engines.installing import STRICT
from tests.watch.booted_systemd import wait_for

PROFILE = Path("/var/lib/strict.json")
RECORDED = {"seclatch.record": "web"}


def await_answer(host: AgentHost, name: str) -> None:
    """Wait until this recorder answers on the host's socket."""

    def answers() -> bool:
        with contextlib.suppress(SeclatchError):
            answer = ask_recorder(str(host.booted.path(DEFAULT_SOCKET)), "status")
            return bool(answer["pid"] == host.find_pid(name))
        return False

    wait_for(answers, f"an answer of {name}: {host.text(name)}", 40)


def kept(host: AgentHost) -> list[Path]:
    """Return the recordings of the host."""
    return sorted(host.booted.path(DIRECTORY).glob("*.json.gz"))


def await_complete(host: AgentHost, recorder: str) -> Path:
    """Wait for the end of the one recording."""

    def is_complete() -> bool:
        return any(recording_file.read_recording(path).complete for path in kept(host))

    wait_for(is_complete, f"a whole recording: {host.text(recorder)}")
    [path] = kept(host)
    return path


def start_pod(host: AgentHost, name: str, annotations: dict[str, str]) -> tuple[Pod, str]:
    """Start a pod of one container under a strict profile, through the latch."""
    host.booted.path(str(PROFILE)).write_bytes(STRICT.read_bytes())
    pod = host.connect().run_pod(name, "seclatch", annotations)
    command = ("/bin/sleep", "1000")
    return pod, pod.start(*command, profile=PROFILE, annotations=annotations, name="web")
