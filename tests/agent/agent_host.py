"""A host with a booted systemd and containerd, and the agent in a container on it.

The agent's container has this machine's root directory, and of the host what the DaemonSet's
manifest gives it. The host's own Python is hidden, so that nothing of the agent can use it.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seclatch.fleet import kubernetes_manifest, recorder_container
from tests.agent.api_server import ApiServer
from tests.engines.cri import Kubelet
from tests.engines.image import IMAGE, make_archive
from tests.watch.booted_systemd import REPOSITORY, BootedSystemd, wait_for

CONFIG = "/etc/containerd/config.toml"
SOCKET = "/run/containerd/containerd.sock"
PAUSE = "seclatch.test/pause:1"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
ROOT = "/run/agent-root"
DEFAULT_CAPABILITIES = [
    "CAP_DAC_OVERRIDE",
    "CAP_CHOWN",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
    "CAP_SYS_CHROOT",
]
# containerd's cgroup settings need controllers, which a hybrid host does not have in version 2.
TEXT = f"""\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  disable_cgroup = true
"""
# Python of this checkout's environment; its paths are not the host's.
SECLATCH = [sys.executable, "-m", "seclatch"]


@dataclass
class AgentHost:
    """The host, as a test changes it."""

    booted: BootedSystemd
    api: ApiServer
    number: int = 0
    last: str = ""
    image: str = ""
    read: dict[str, int] = field(default_factory=dict)

    def prepare(self, image_root: Path, folder: Path) -> None:
        """Start containerd, import the images, make the agent's root."""
        for path in ("/host", "/etc/containerd"):
            self.booted.path(path).mkdir(parents=True, exist_ok=True)
        self.booted.path(CONFIG).write_text(TEXT)
        self.booted.run("systemctl", "enable", "--now", "containerd")
        for name, command in ((IMAGE, ["/bin/sh"]), (PAUSE, ["/bin/sleep", "100000"])):
            archive = make_archive(image_root, folder / "image.tar", name, command)
            inside = self.booted.path("/run/image.tar")
            inside.write_bytes(archive.read_bytes())
            self.ctr("--namespace", "k8s.io", "images", "import", "/run/image.tar")
        self.make_root()

    def make_root(self) -> None:
        """Mount the agent's root directory and the pod's account; hide Python from the host."""
        self.api.write_account(self.booted.path("/run" + ACCOUNT.removeprefix("/var/run")))
        self.booted.run("mkdir", ROOT)
        self.booted.run("mount", "--bind", "/", ROOT)
        own = sorted({str(REPOSITORY), sys.prefix, sys.base_prefix} - {"/usr"})
        for path in own:
            self.booted.run("mount", "--rbind", path, f"{ROOT}{path}")
        for program in Path("/usr/bin").glob("python3*"):
            if program.is_file() and not program.is_symlink():
                self.booted.run("mount", "--bind", "/dev/null", str(program))
        for path in reversed(own):
            self.booted.run("umount", "--lazy", path)
        assert self.booted.run("sh", "-c", "python3 -c 1 || echo none") == "none\n"
        # as systemd does outside of containers: later mounts are seen in those of agents
        self.booted.run("mount", "--make-rshared", "/")

    def use_image(self, archive: Path, name: str) -> None:
        """Start agents from an image; without one from this machine's root directory."""
        inside = self.booted.path("/run/agent.tar")
        shutil.copy(archive, inside)
        self.ctr("images", "import", "/run/agent.tar")
        inside.unlink()
        self.image = name

    def ctr(self, *words: str, status: int | None = 0) -> str:
        return self.booted.run("ctr", *words, status=status)

    def start_agent(self, *words: str, label: bool = True) -> str:
        """Start the agent as the DaemonSet does; return the container's name."""
        environment = {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT_HTTPS": str(self.api.port),
        }
        options = ["--mount", "type=bind,src=/,dst=/host,options=rbind:rslave:rw"]
        options += ["--mount", f"type=bind,src={ACCOUNT},dst={ACCOUNT},options=rbind:ro"]
        for variable, value in environment.items():
            options += ["--env", f"{variable}={value}"]
        command = ["node", "--root=/host", "--install=containerd", *words]
        command += ["--label=n1"] if label else []
        return self._start("agent", options, kubernetes_manifest.CAPABILITIES, command)

    def start_recorder(self) -> str:
        """Start the DaemonSet's second container; return its name."""
        made = recorder_container.make_recorder("")
        options: list[str] = []
        for volume in recorder_container.list_recorder_volumes():
            path = volume["hostPath"]["path"]
            self.booted.run("mkdir", "-p", path)
            options += ["--mount", f"type=bind,src={path},dst={path},options=rbind:rw"]
        added = made["securityContext"]["capabilities"]["add"]
        return self._start("recorder", options, added, made["args"])

    def _start(
        self, kind: str, options: list[str], added: Iterable[str], command: list[str]
    ) -> str:
        self.number += 1
        name = self.last = f"{kind}-{self.number}"
        words = ["--detach", "--read-only", "--net-host", "--seccomp", *options]
        words += ["--with-ns", "pid:/proc/1/ns/pid", "--cwd", "/", "--cpu-shares", "0"]
        words += ["--log-uri", f"file:///run/{name}.log"]
        wanted = [f"CAP_{one}" for one in added]
        words += [word for one in wanted for word in ("--cap-add", one)]
        dropped = [one for one in DEFAULT_CAPABILITIES if one not in wanted]
        words += [word for one in dropped for word in ("--cap-drop", one)]
        source = [self.image] if self.image else ["--rootfs", ROOT]
        program = ["/usr/bin/seclatch"] if self.image else SECLATCH
        self.ctr("run", *words, *source, name, *program, *command)
        return name

    def run_agent(self, *words: str, label: bool = True) -> list[dict[str, Any]]:
        """Run one round; return the objects that it prints."""
        name = self.start_agent("--once", "--json", *words, label=label)
        wait_for(lambda: "STOPPED" in self.state(name), f"{name} to end")
        self.ctr("task", "rm", name, status=None)
        return self.lines(name)

    def state(self, name: str) -> str:
        lines = self.ctr("task", "ls").splitlines()
        return next((line for line in lines if line.split()[0] == name), "")

    def text(self, name: str) -> str:
        return self.booted.path(f"/run/{name}.log").read_text(errors="replace")

    def lines(self, name: str) -> list[dict[str, Any]]:
        found = [line for line in self.text(name).splitlines() if line.startswith("{")]
        return [json.loads(line) for line in found]

    def find_pid(self, name: str) -> int:
        """Return the pid of a container's first process, as the host numbers it."""
        return int(self.state(name).split()[1])

    def read_status(self, name: str) -> dict[str, str]:
        """Return proc_pid_status(5) of a container's first process."""
        lines = self.booted.path(f"/proc/{self.find_pid(name)}/status").read_text().splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def kill_container(self, name: str) -> None:
        """Kill a container, and remove it."""
        self.ctr("task", "kill", "--signal", "SIGKILL", name)
        wait_for(lambda: "STOPPED" in self.state(name), f"{name} to end")
        self.ctr("task", "rm", name, status=None)

    def stop_agent(self, name: str) -> None:
        self.ctr("task", "kill", "--signal", "SIGTERM", name)
        wait_for(lambda: "STOPPED" in self.state(name), f"{name} to end")
        self.ctr("task", "rm", name, status=None)

    def await_line(self, name: str, **wanted: object) -> dict[str, Any]:
        """Wait for a new line of a round with these values."""

        def find() -> dict[str, Any] | None:
            lines = self.lines(name)
            for number in range(self.read.get(name, 0), len(lines)):
                if wanted.items() <= lines[number].items():
                    self.read[name] = number + 1
                    return lines[number]
            return None

        wait_for(find, f"{wanted} of {name}: {self.text(name)[-2000:]}", 60)
        return self.lines(name)[self.read[name] - 1]

    def main_pid(self) -> str:
        return self.booted.show("containerd", "MainPID")

    def connect(self) -> Kubelet:
        return Kubelet(self.booted.path(SOCKET), "seclatch-agent")
