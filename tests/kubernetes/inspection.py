"""The DaemonSet `inspect` on the node, and `kubectl seclatch` on a workstation of its users.

There is no registry for the agent's image: its container has /usr, Python and this checkout from
the machine. All else is the manifest's.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engines.engine import Done
from tests.engines.image import make_archive
from tests.engines.installing import SOURCES
from tests.kubernetes.cluster import DIRECTORY, Cluster

INSPECT = "seclatch.test/inspect:1"
_LINKS = ("bin", "sbin", "lib", "lib64")


def make_inspect_image(folder: Path) -> Path:
    """Make an image that has nothing but the command and directories to mount others at."""
    root = folder / "root"
    (root / "opt").mkdir(parents=True)
    for name in ("etc", "proc", "sys", "dev", "tmp", "run", "var", "usr"):
        (root / name).mkdir()
    for name in _LINKS:
        (root / name).symlink_to(f"usr/{name}")
    command = root / "opt/seclatch"
    python = shlex.join([sys.executable, "-m", "seclatch"])
    command.write_text(f'#!/bin/sh\nPYTHONPATH={SOURCES} exec {python} "$@"\n')
    command.chmod(0o755)
    path = "/opt:/usr/sbin:/usr/bin"
    return make_archive(root, folder / "inspect.tar", INSPECT, ["/bin/sh"], path)


def adapt(daemon_set: dict[str, Any], *directories: Path) -> None:
    """Mount this machine's programs, and directories of the tests' containerd."""
    spec = daemon_set["spec"]["template"]["spec"]
    [container] = spec["containers"]
    container |= {"image": INSPECT, "imagePullPolicy": "Never"}
    own = {"/usr", str(SOURCES.parent), sys.prefix, sys.base_prefix, *map(str, directories)}
    paths = sorted(path for path in own if path == "/usr" or not path.startswith("/usr/"))
    for number, path in enumerate(paths):
        name = f"machine-{number}"
        spec["volumes"].append({"name": name, "hostPath": {"path": path}})
        container["volumeMounts"].append({"name": name, "mountPath": path})


@dataclass(frozen=True)
class Workstation:
    """A user's machine: a kubectl, the plugin, and the user's kubeconfig."""

    cluster: Cluster
    kubectl: str = "kubectl"
    user: str = "admin"

    def __call__(self, *words: str, timeout: float = 120) -> Done:
        """Run `kubectl seclatch`."""
        programs = DIRECTORY / f"bin-{self.kubectl}"
        path = f"{programs}:{os.environ['PATH']}"
        config = str(DIRECTORY / f"{self.user}.conf")
        host = self.cluster.host
        return host.run(
            "kubectl",
            "seclatch",
            *words,
            env={"PATH": path, "KUBECONFIG": config},
            timeout=timeout,
        )

    def install(self, plugin: str) -> None:
        """Put kubectl and the plugin into one directory of PATH."""
        programs = self.cluster.host.path(DIRECTORY / f"bin-{self.kubectl}")
        programs.mkdir(exist_ok=True)
        (programs / "kubectl").symlink_to(self.cluster.programs / self.kubectl)
        (programs / "kubectl-seclatch").write_text(plugin)
        (programs / "kubectl-seclatch").chmod(0o755)


def grant(cluster: Cluster, user: str, *roles: Sequence[str]) -> None:
    """Bind roles, each a namespace and a name."""
    for namespace, role in roles:
        words = ["create", "rolebinding", "-n", namespace, f"{user}-{role}"]
        cluster.must(*words, f"--role={role}", f"--user={user}")
