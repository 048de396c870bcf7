"""A stand-in for single-threaded runtimes with a threaded init; shared namespaces."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.latch.oci import Bundle, Runtime, case, copy_front, is_hybrid

pytestmark = pytest.mark.root


def test_an_init_with_threads(compiler: Compiler, tmp_path: Path) -> None:
    real = compiler("forking_runtime")
    front = copy_front(tmp_path / "fronts", "seclatch-x", real)
    for target, bare, latched in (("exit42", 103, 42), ("first_denied", 103, 7)):
        words = ["create", compiler(target)]
        assert subprocess.run([real, *words], check=False).returncode == bare
        assert subprocess.run([front, *words], check=False).returncode == latched


def test_a_static_runtime_without_privileges(compiler: Compiler, tmp_path: Path) -> None:
    """Without a C library for breakpoints, the runtime is stopped at each call until its load."""
    front = copy_front(tmp_path / "fronts", "seclatch-x", compiler("forking_runtime"))
    for target, latched in (("exit42", 42), ("first_denied", 7)):
        words = ["setpriv", "--no-new-privs", front, "create", compiler(target)]
        done = subprocess.run(words, check=False, env={**os.environ, "SECLATCH_MODE": "gate"})
        assert done.returncode == latched


@pytest.mark.parametrize("verb", ["create", "run"])
@pytest.mark.parametrize("hook", [{}, {"STANDIN_POSTSTOP": "/bin/true"}], ids=["", "poststop"])
def test_an_init_that_the_gate_s_filter_kills(
    compiler: Compiler, tmp_path: Path, verb: str, hook: dict[str, str]
) -> None:
    """A call that the gate does not open kills init; stderr and the log give the reason.

    The runtime's cleanup runs on the host, without a filter.
    """
    front = copy_front(tmp_path / "fronts", "seclatch-x", compiler("forking_runtime"))
    log = tmp_path / "log"
    done = subprocess.run(
        [front, "--log", log, verb, compiler("exit42")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **hook, "STANDIN_KILL": "1", "SECLATCH_MODE": "gate"},
    )
    assert done.returncode == 128 + signal.SIGSYS
    for text in (done.stderr, log.read_text()):
        assert text.count("nothing was started: the profile killed the runtime") == 1, text


BOUND = {
    "defaultAction": "SCMP_ACT_KILL_PROCESS",
    "syscalls": [
        {"names": ["exit_group"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["getpgid", "personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7},
    ],
}


def without(bundle: Bundle, *namespaces: str) -> Bundle:
    linux = bundle.config["linux"]
    if "uts" in namespaces:
        bundle.config.pop("hostname")
    if "network" in namespaces:  # a new sysfs needs a network namespace
        bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] != "sysfs"]
    linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] not in namespaces]
    bundle.write()
    return bundle


@pytest.mark.parametrize("shared", [["pid"], ["pid", "ipc", "uts", "network"], []], ids=str)
def test_namespaces_shared_with_the_host(
    latched: Runtime, bundle: Callable[..., Bundle], shared: list[str], no_new_privileges: bool
) -> None:
    made = bundle(["/bin/first_denied"], seccomp=BOUND, no_new_privileges=no_new_privileges)
    without(made, *shared)
    assert latched("run", "--bundle", made.path, made.id).returncode == 7
    latched("delete", "--force", made.id)


@pytest.mark.parametrize("filtered", [True, False])
def test_no_namespace_at_all(bundle: Callable[..., Bundle], filtered: bool, rootfs: Path) -> None:
    """crun alone accepts such a configuration.

    The container's mounts would be the host's, so it is run in a mount namespace of the test's own
    (oci.py makes one on hybrid hosts).
    """
    made = bundle(["/bin/first_denied"], seccomp=BOUND if filtered else None)
    without(made, "pid", "ipc", "uts", "network", "mount", "cgroup")
    made.config["mounts"] = []
    made.config["linux"].pop("maskedPaths", None)
    made.config["linux"].pop("readonlyPaths", None)
    made.config["root"] = {"path": str(rootfs)}
    made.write()
    runtime = Runtime("crun")
    words = runtime.argv("run", "--bundle", made.path, made.id)
    if not is_hybrid():
        words = ["unshare", "-m", *words]
    done = subprocess.run(words, timeout=60, check=False, capture_output=True, text=True)
    assert done.returncode == (7 if filtered else 0), done.stderr
    runtime("delete", "--force", made.id)


def test_front_as_pid_1(latched: Runtime, bundle: Callable[..., Bundle]) -> None:
    """The tracer becomes the child of the runtime itself, which must not wait for it for ever."""
    inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    for seccomp, status in ((case("exit-only"), 42), (None, 42)):
        made = bundle(["/bin/exit42"], seccomp=seccomp)
        words = latched.argv("run", "--bundle", made.path, made.id)
        assert subprocess.run([*inside, *words], timeout=60, check=False).returncode == status
        latched("delete", "--force", made.id)


def shared_with_the_host(bundle: Bundle, rootfs: Path | str, *namespaces: str) -> Bundle:
    """Share all namespaces but these with the host, without mounts: only crun accepts it."""
    bundle.config["linux"] = {"namespaces": [{"type": name} for name in namespaces]} | {
        key: value for key, value in bundle.config["linux"].items() if key == "seccomp"
    }
    bundle.config.pop("hostname", None)
    bundle.config["mounts"] = []
    bundle.config["root"] = {"path": str(rootfs)}
    bundle.write()
    return bundle


def test_a_proc_mounted_over_that_of_the_tracer(
    bundle: Callable[..., Bundle], rootfs: Path, tmp_path: Path
) -> None:
    """By the container's configuration /proc shows other processes from then on.

    The tracer must let go of a process that it can no longer see.
    """
    made = bundle([str(rootfs / "bin/first_denied")], seccomp=BOUND)
    shared_with_the_host(made, "/", "pid")
    made.config["mounts"] = [{"destination": "/proc", "type": "proc", "source": "proc"}]
    made.write()
    words = Runtime("crun").argv("run", "--bundle", made.path, made.id)
    done = subprocess.run(
        ["unshare", "-m", *words], timeout=60, check=False, capture_output=True, text=True
    )
    assert done.returncode == 7, done.stderr


def test_front_as_pid_1_with_the_host_s_namespaces(
    bundle: Callable[..., Bundle], rootfs: Path
) -> None:
    made = shared_with_the_host(bundle(["/bin/exit42"], seccomp=None), rootfs)
    inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    words = Runtime("crun").argv("run", "--bundle", made.path, made.id)
    assert subprocess.run([*inside, *words], timeout=60, check=False).returncode == 42
    Runtime("crun")("delete", "--force", made.id)
