"""A booted systemd: pid 1 of its own pid namespace, on an overlay of this machine's root.

Nothing is written to disk, and its end takes all services with it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SYSTEMD = Path("/usr/lib/systemd/systemd")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
REPOSITORY = Path(__file__).parents[2]

# The machine's own services are left out: multi-user.target wants nothing at first.
BOOT = """
set -e
mount --make-rprivate /
mountpoint -q "$1" || mount -t tmpfs tmpfs "$1"
cd "$1"
shift
mkdir upper 2>/dev/null || again=true
mkdir -p work root data
mount -t overlay overlay -o "lowerdir=/,upperdir=$PWD/upper,workdir=$PWD/work" root
cd root
mkdir -p var/lib/containerd
mount --bind ../data var/lib/containerd  # an overlay's upper directory cannot be on an overlay
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
  touch dev/$name
  mount --bind /dev/$name dev/$name
done
ln -s /proc/self/fd dev/fd
for path; do
  mkdir -p ".$path"
  mount --rbind "$path" ".$path"
done
if [ ! "$again" ]; then
rm -rf etc/systemd/system/*.wants etc/systemd/system/seclatch-* var/log/seclatch
echo > etc/machine-id
mkdir -p etc/systemd/system/multi-user.target.wants old
ln -s /dev/null etc/systemd/system/tmp.mount  # it would hide a checkout below /tmp
ln -sf /usr/lib/systemd/system/multi-user.target etc/systemd/system/default.target
fi
pivot_root . old
umount -l /old
exec env -i container=seclatch PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/lib/systemd/systemd \
  --log-target=console --show-status=false
"""


class BootedSystemd:
    """Runs commands beside its services, as root."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def first(self) -> int:
        """Return the pid of its process 1, as seen from here."""
        pid = self._process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(child)

    def kill(self) -> None:
        """End it as a power failure does."""
        self._process.kill()
        self._process.wait()

    def run(self, *words: str, status: int | None = 0) -> str:
        """Run a command inside; return its output."""
        enter = ["nsenter", "-t", str(self.first), "-m", "-p", "-C", "-u", "--"]
        done = subprocess.run(
            [*enter, "/usr/bin/env", "-i", PATH, *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = f"{words}: {done.returncode}: {done.stdout[-1000:]}{done.stderr[-1000:]}"
        assert status is None or done.returncode == status, said
        return done.stdout

    def path(self, path: str) -> Path:
        """Return the path by which this process reaches a file of it."""
        return Path(f"/proc/{self.first}/root{path}")

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).strip()

    def find_main(self, unit: str) -> int:
        """Return the pid of a service's main process as seen from here, 0 if it has none."""
        inside, here = self.show(unit, "MainPID"), Path(f"/proc/{self.first}/ns/pid").readlink()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):  # it has ended
                text = folder.joinpath("status").read_text(errors="replace")
                line = text.partition("\nNSpid:")[2]
                same = (folder / "ns/pid").readlink() == here
                if same and line.splitlines()[0].split()[-1] == inside:
                    return int(folder.name)
        return 0


def wait_for(found: Callable[[], object], what: str, seconds: float = 90) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, f"waited {seconds} s in vain: {what}"
        time.sleep(0.1)


@contextmanager
def keep_disk(folder: Path) -> Iterator[int]:
    """Keep what hosts booted on `folder` write; yield the process that does, for `boot`."""
    hold = 'mount --make-rprivate / && mount -t tmpfs tmpfs "$1" && echo && exec sleep infinity'
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", hold, "sh", str(folder)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout and process.stdout.read(1), f"no disk at {folder}"
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def boot(folder: Path, disk: int = 0) -> Iterator[BootedSystemd]:
    """Boot it, and end it with all that runs in it; `folder` is a mount point.

    `disk`: that of `keep_disk`; without one nothing is kept. The end is that of a power failure.
    """
    paths = sorted({str(REPOSITORY), sys.prefix, sys.base_prefix})
    words = ["unshare", "--mount", "--pid", "--cgroup", "--uts", "--fork", "--kill-child"]
    words = [*(["nsenter", f"--target={disk}", "--mount"] if disk else []), *words]
    with _make_group() as join, (folder.parent / "boot.log").open("wb") as log:
        enter = ["sh", "-c", f'{join}\nexec "$@"', "sh"]
        process = subprocess.Popen(
            [*enter, *words, "sh", "-c", BOOT, "sh", str(folder), *paths],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        host = BootedSystemd(process)
        try:
            wait_for(lambda: _is_running(host, process, folder), "systemd to boot")
            yield host
        finally:
            process.kill()
            process.wait()


def _is_running(host: BootedSystemd, process: subprocess.Popen[bytes], folder: Path) -> bool:
    said = (folder.parent / "boot.log").read_text(errors="replace")[-2000:]
    assert process.poll() is None, f"systemd did not boot: {said}"
    with contextlib.suppress(ValueError, OSError):
        state = host.run("systemctl", "is-system-running", status=None).strip()
        return state in ("running", "degraded")
    return False


@contextmanager
def _make_group() -> Iterator[str]:
    """Make a control group to be the root of its own; yield the command that enters it."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    mounts = [line.split()[4] for line in lines if line.partition(" - ")[2].startswith("cgroup2 ")]
    group = None
    with contextlib.suppress(OSError):  # one host may be booted while another still ends
        prefix = f"seclatch-booted-{os.getpid()}-"
        group = Path(tempfile.mkdtemp(prefix=prefix, dir=mounts[0])) if mounts else None
    try:
        yield f"echo $$ > {group}/cgroup.procs" if group else ":"
    finally:
        if group:
            wait_for(lambda: _remove(group), "the control group to be empty", 20)


def _remove(group: Path) -> bool:
    try:
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()
    except OSError:
        return False
    return True
