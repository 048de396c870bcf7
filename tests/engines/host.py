"""A private host for engines: own mounts and process ids, removed as a whole when it ends.

The engines under test are real and run as root, so they are kept from changing the machine: a mount
namespace in which /etc, /usr/local and /var/lib are overlays on memory, /run is new, and a pid
namespace whose end (also when the test run itself is killed) ends every daemon, shim and container
in it. Nothing is written to disk.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

OVERLAID = ("etc", "usr/local", "var/lib")

# Files that an earlier `seclatch install` or an administrator may have left on the machine itself.
FOREIGN = (
    "/etc/docker/daemon.json",
    "/etc/containerd/config.toml",
    "/etc/containers/containers.conf",
    "/etc/containers/containers.conf.d",
    "/usr/local/lib/seclatch",
    "/var/lib/seclatch",
)

# Hybrid hosts mount cgroup v1 and, at `unified`, a v2 without controllers, which crun refuses
# ("cgroups in hybrid mode not supported"). Without that mount it is a plain v1 host, which every
# engine and runtime takes. (cgroup2 alone would do for crun, but engines want its controllers.)
SETUP = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 1777 /run/lock
for dir in $1; do
  mkdir -p "/run/overlay/$dir/upper" "/run/overlay/$dir/work"
  mount -t overlay overlay "/$dir" \
    -o "lowerdir=/$dir,upperdir=/run/overlay/$dir/upper,workdir=/run/overlay/$dir/work"
done
rm -rf $2
! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified
echo ready
sleep infinity & wait
"""  # the shell reaps orphans of containers; `exec sleep` would not

_number = itertools.count()

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
}


@dataclass
class PrivateHost:
    """A running private host. /run is its scratch space: memory, and short paths for sockets.

    With `network` it has a network namespace of its own, without any interface that is up.
    """

    network: bool = False
    group: str = field(default_factory=lambda: f"seclatch-test-{os.getpid()}-{next(_number)}")
    holder: subprocess.Popen[str] = field(init=False)

    def start(self) -> PrivateHost:
        """Make the namespaces and mounts; raises when that fails."""
        words = ["sh", "-c", SETUP, "host", " ".join(OVERLAID), " ".join(FOREIGN)]
        spaces = ["--mount", "--pid", *(["--net"] if self.network else [])]
        self.holder = subprocess.Popen(
            ["unshare", *spaces, "--fork", "--kill-child", "--mount-proc", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        assert self.holder.stdout
        if self.holder.stdout.readline() != "ready\n":
            self.holder.kill()
            raise RuntimeError(f"no private host: {self.holder.communicate()[1]}")
        return self

    def argv(self, *words: str | os.PathLike[str]) -> list[str]:
        """Return the command line that runs `words` inside."""
        pid = self.holder.pid
        enter = ["nsenter", f"--mount=/proc/{pid}/ns/mnt"]
        if self.network:
            enter.append(f"--net=/proc/{pid}/ns/net")
        return [*enter, f"--pid=/proc/{pid}/ns/pid_for_children", "--", *map(os.fspath, words)]

    def run(
        self,
        *words: str | os.PathLike[str],
        timeout: float = 60,
        check: bool = False,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside and return it with its output; stdin is empty unless given."""
        done = subprocess.run(
            self.argv(*words),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={**ENVIRONMENT, **(env or {})},
            input=input or "",
            errors="replace",
        )
        if check and done.returncode:
            raise AssertionError(f"{words}: status {done.returncode}: {done.stderr}{done.stdout}")
        return done

    def spawn(
        self, *words: str | os.PathLike[str], log: Path, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a daemon inside, its output in log (a path outside); it ends with the host."""
        with log.open("wb") as output:
            return subprocess.Popen(
                self.argv(*words),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**ENVIRONMENT, **(env or {})},
                start_new_session=True,
            )

    def path(self, path: str | os.PathLike[str]) -> Path:
        """Return the path by which the test process reaches a path of the private host."""
        return Path(f"/proc/{self.holder.pid}/root") / os.fspath(path).lstrip("/")

    def proc(self, pid: int | str) -> Path:
        """Return /proc/PID of a process, by its pid inside (the one that engines report)."""
        return self.path(f"/proc/{pid}")

    def status(self, pid: int | str) -> dict[str, str]:
        """Return the fields of /proc/PID/status."""
        lines = (self.proc(pid) / "status").read_text().splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def close(self) -> None:
        """Kill everything inside and remove its control groups; mounts end with the namespace."""
        self.holder.kill()
        self.holder.communicate()
        for directory in cgroups(self.group):
            wait_until(lambda d=directory: removed(d), f"{directory} to be empty")


def cgroups(group: str) -> Iterable[Path]:
    """List the control groups below those named group, deepest first, of every hierarchy."""
    root = Path("/sys/fs/cgroup")
    tops = [*root.glob(group), *root.glob(f"*/{group}")]
    # Path.rglob fails if an engine that ends removes one meanwhile.
    found = [Path(folder) for top in tops for folder, _, _ in os.walk(top)]
    return sorted(found, key=lambda one: len(one.parts), reverse=True)


def removed(directory: Path) -> bool:
    """Try to remove a control group; busy while its processes are being reaped."""
    with contextlib.suppress(FileNotFoundError):
        try:
            directory.rmdir()
        except OSError:
            return False
    return True


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Poll until the condition holds; a real failure takes the whole time limit."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.02)


def missing_programs(names: Iterable[str]) -> list[str]:
    """Return the programs that are not installed on the machine."""
    return [name for name in names if not shutil.which(name, path=ENVIRONMENT["PATH"])]
