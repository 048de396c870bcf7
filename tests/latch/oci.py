"""Run containers without an engine: bundles, and the real runtimes bare or under the latch."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent.parent / "data"
SCRIPTS = Path(sysconfig.get_path("scripts"))
_number = itertools.count()

# First line of a shell hook. crun writes the container's state to each hook, and dies of SIGPIPE if
# the hook has exited by then (crun 1.21, bare too: 1 of 900 starts on a busy host).
READ_STATE = "while read -r state; do :; done; "

# crun refuses cgroup v1 hybrid hosts ("cgroups in hybrid mode not supported"): there it gets a
# mount namespace with cgroup2 alone, and no cgroup of its own.
CGROUP2_ONLY = 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'


def is_hybrid() -> bool:
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


@dataclass(frozen=True)
class Runtime:
    """runc or crun, bare or latched; `front` replaces the installed latch."""

    name: str
    latched: bool = True
    front: Path | None = None
    options: tuple[str, ...] = ()

    @property
    def program(self) -> str:
        if self.front:
            return str(self.front)
        return str(SCRIPTS / f"seclatch-{self.name}") if self.latched else self.name

    def argv(self, *arguments: str | os.PathLike[str]) -> list[str]:
        words = [self.program, *self.options, *map(str, arguments)]
        if self.name == "crun" and is_hybrid():
            words.insert(1, "--cgroup-manager=disabled")
            words = ["unshare", "-m", "sh", "-c", CGROUP2_ONLY, "sh", *words]
        return words

    def __call__(
        self, *arguments: str | os.PathLike[str], timeout: float = 60, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, **options}
        return subprocess.run(self.argv(*arguments), timeout=timeout, check=False, **options)

    def bound(
        self, *arguments: str | os.PathLike[str], **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Call the runtime where a strict profile binds the runtime itself.

        A Go runtime whose futex is denied may spin for ever, and is killed then (seen with runc on
        arm64).
        """
        try:
            return self(*arguments, timeout=30, **options)
        except subprocess.TimeoutExpired as hung:
            message = [(each or b"").decode() for each in (hung.stdout, hung.stderr)]
            return subprocess.CompletedProcess(hung.cmd, -signal.SIGKILL, *message)


@dataclass
class Bundle:
    """An OCI bundle; `config` may be changed until `write`."""

    path: Path
    config: dict[str, Any]
    id: str = field(default_factory=lambda: f"seclatch-bundle-{os.getpid()}-{next(_number)}")

    def write(self) -> Path:
        (self.path / "config.json").write_text(json.dumps(self.config))
        return self.path


def case(name: str) -> dict[str, Any]:
    profile: dict[str, Any] = json.loads((CASES / f"{name}.json").read_text())
    return profile


def make_bundle(
    path: Path,
    rootfs: Path,
    args: Sequence[str],
    *,
    seccomp: dict[str, Any] | None,
    no_new_privileges: bool = False,
) -> Bundle:
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["runc", "spec", "--bundle", path], check=True)
    config = json.loads((path / "config.json").read_text())
    config["process"].update(terminal=False, args=list(args), noNewPrivileges=no_new_privileges)
    config["root"] = {"path": str(rootfs), "readonly": True}
    if seccomp is not None:
        config["linux"]["seccomp"] = seccomp
    bundle = Bundle(path, config)
    bundle.write()
    return bundle


def wait_until(condition: Any, what: str, seconds: float = 60) -> Any:
    """Return the condition's first true value; fail the test, naming it, after the time limit.

    The limit is for what never happens: on a busy machine a start may take many seconds.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {seconds} s in vain: {what}"
        time.sleep(0.005)
    return value


def status(pid: int) -> dict[str, str]:
    """Return /proc/PID/status as a dictionary. The name of any process on the host is any bytes."""
    lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def is_alive(pid: int) -> bool:
    try:
        return not status(pid)["State"].startswith("Z")
    except OSError:
        return False


def runs(pid: int, program: str) -> bool:
    """Return whether the process has exec'd the program; its name before that varies."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] == program.encode()
    except OSError:
        return False


# The tracer keeps the front's environment: do not count other latches on this host.
MARK = {"SECLATCH_TESTS": str(os.getpid())}
os.environ.update(MARK)


def tracers() -> set[int]:
    """Return the live tracers that this test process started."""
    mark = "SECLATCH_TESTS={SECLATCH_TESTS}".format(**MARK).encode()
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            pid = int(folder.name)
            named = status(pid).get("Name") == "seclatch-tracer"
            if named and mark in (folder / "environ").read_bytes().split(b"\0"):
                found.add(pid)
        except OSError:
            continue
    return found


@contextmanager
def created(runtime: Runtime, bundle: Bundle) -> Iterator[int]:
    """Create a container, yield its init's pid, and delete the container in any case.

    Its init is killed first; test_methods.py has runtimes delete a container whose init lives.
    """
    pid_file = bundle.path / "pid"
    # create's stdio is the container's: use files, since a pipe would stay open until its end
    with (bundle.path / "output").open("wb") as output:
        done = runtime(
            "create",
            "--bundle",
            bundle.path,
            "--pid-file",
            pid_file,
            bundle.id,
            stdout=output,
            stderr=output,
            capture_output=False,
        )
    try:
        assert done.returncode == 0, (bundle.path / "output").read_text()
        pid = int(pid_file.read_text())
        with ended_afterwards(pid):
            yield pid
    finally:
        runtime("delete", "--force", bundle.id)


@contextmanager
def ended_afterwards(pid: int) -> Iterator[None]:
    """Kill a container's init at the end of the block, and wait a little until it has ended.

    `runc delete --force` looks whether the init that it has killed is gone after 100 ms; one that
    has ended it deletes at once. A frozen init is left to the runtime.
    """
    try:
        init = os.pidfd_open(pid)
    except ProcessLookupError:  # it has ended already
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(init, signal.SIGKILL)
        select.select([init], [], [], 0.1)
        os.close(init)


@contextmanager
def running(runtime: Runtime, bundle: Bundle) -> Iterator[int]:
    """Create and start a container; yield the program's pid once it has been exec'd."""
    with created(runtime, bundle) as pid:
        done = runtime("start", bundle.id)
        assert done.returncode == 0, done.stderr
        wait_until(lambda: runs(pid, bundle.config["process"]["args"][0]), "the program's exec")
        yield pid


def copy_front(directory: Path, name: str, real: str | Path | None) -> Path:
    """Copy the latch under another name, or beside a link that names the real runtime."""
    directory.mkdir(parents=True, exist_ok=True)
    front = directory / name
    shutil.copy(SCRIPTS / "seclatch-runc", front)
    if real:
        (directory / f"{name}.runtime").symlink_to(real)
    return front


@contextmanager
def pids_cgroup(name: str, limit: str) -> Iterator[Path]:
    """Make a cgroup of at most `limit` processes; RLIMIT_NPROC does not bind root."""
    top = next(p for p in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")) if p.is_dir())
    controllers = top / "cgroup.subtree_control"
    if controllers.exists() and "pids" not in controllers.read_text():
        controllers.write_text("+pids")
    group = top / f"seclatch-test-{os.getpid()}-{name}"
    group.mkdir()
    try:
        (group / "pids.max").write_text(limit)
        yield group
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the cgroup to be empty")
        group.rmdir()
