"""The container's own code attacks the runtime's init, which has no filter before the exec.

Hooks, and programs that share its pid namespace. See tests/programs/intruder.c for the attacks.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Compiler
from tests.latch.oci import Bundle, Runtime, copy_front, created, running, wait_until

pytestmark = pytest.mark.root

PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["openat"], "action": "SCMP_ACT_ERRNO"}],
}
HOOK = {"path": "/bin/intruder", "args": ["intruder", "parent"]}
# method: SECLATCH_MODE, no_new_privs, an additional capability
METHODS: dict[str, tuple[str, bool, str | None]] = {
    "suspend": ("suspend", False, None),
    "suspend, no_new_privs": ("suspend", True, None),
    "hold": ("gate", True, None),
    "gate": ("gate", False, None),
    "gate+exact": ("gate", False, "CAP_SYS_ADMIN"),
}
by_each_method = pytest.mark.parametrize("method", list(METHODS))

Make = Callable[..., Bundle]


@pytest.fixture
def make(bundle: Make, rootfs: Path, compiler: Compiler, tmp_path: Path) -> Make:
    """Provide make(PROGRAM…, seccomp=…, no_new_privileges=…, capability=…), /tmp from outside."""
    if not (rootfs / "bin/intruder").exists():
        shutil.copy(compiler("intruder"), rootfs / "bin/intruder")
    place = tmp_path / "tmp"
    place.mkdir()
    place.chmod(0o777)
    mount = {"destination": "/tmp", "type": "bind", "source": str(place), "options": ["bind", "rw"]}

    def start(*args: str, capability: str | None = None, **options: Any) -> Bundle:
        made = bundle(list(args), **{"seccomp": PROFILE, **options})
        made.config["mounts"].append(mount)
        for held in made.config["process"]["capabilities"].values():
            held.extend([capability] if capability else [])
        made.write()
        return made

    return start


@pytest.fixture
def with_method(monkeypatch: pytest.MonkeyPatch, make: Make, method: str, tmp_path: Path) -> Make:
    mode, no_new_privileges, capability = METHODS[method]
    monkeypatch.setenv("SECLATCH_MODE", mode)
    monkeypatch.setenv("SECLATCH_LOG", str(tmp_path / "starts"))

    def start(*args: str, **options: Any) -> Bundle:
        return make(
            *args, **{"capability": capability, "no_new_privileges": no_new_privileges, **options}
        )

    return start


def methods(tmp_path: Path) -> set[str]:
    lines = (tmp_path / "starts").read_text().splitlines()
    return {json.loads(line)["road"] for line in lines}


def run_with_hook(runtime: Runtime, made: Bundle) -> subprocess.CompletedProcess[str]:
    made.config["hooks"] = {"startContainer": [HOOK]}
    made.write()
    log = made.path / "log"
    done = runtime("--log", log, "run", "--bundle", made.path, made.id)
    runtime("delete", "--force", made.id)
    if "nothing was started" in done.stderr:
        assert "nothing was started" in log.read_text()
    return done


def test_the_attack_is_real(make: Make, tmp_path: Path) -> None:
    """A hook can write to the bare runc's init; there its filter is in force."""
    done = run_with_hook(Runtime("runc", latched=False), make("/bin/exit42", seccomp=None))
    assert done.returncode == 77
    assert (tmp_path / "tmp/intruded").exists()


@by_each_method
def test_a_hook_does_not_get_into_init(
    latched: Runtime, with_method: Make, method: str, tmp_path: Path
) -> None:
    done = run_with_hook(latched, with_method("/bin/exit42"))
    assert done.returncode == 42, done.stderr
    assert not (tmp_path / "tmp/intruded").exists()
    assert methods(tmp_path) == {method.partition(",")[0]}


@by_each_method
def test_a_hook_with_cap_sys_ptrace_does_not_run(
    latched: Runtime, with_method: Make, method: str, tmp_path: Path
) -> None:
    done = run_with_hook(latched, with_method("/bin/exit42", capability="CAP_SYS_PTRACE"))
    assert done.returncode not in (0, 42, 77)
    assert "a startContainer hook has CAP_SYS_PTRACE" in done.stderr
    assert not (tmp_path / "tmp/intruded").exists()


@by_each_method
def test_a_created_container_prints_why_its_hook_did_not_run(
    latched: Runtime, with_method: Make, method: str
) -> None:
    """On its own stderr: the front, whose stderr the engine reads, has exited by then."""
    made = with_method("/bin/exit42", capability="CAP_SYS_PTRACE")
    made.config["hooks"] = {"startContainer": [HOOK]}
    made.write()
    with created(latched, made):
        latched("start", made.id)
        output = made.path / "output"
        wait_until(lambda: "has CAP_SYS_PTRACE" in output.read_text(), "the reason")
        assert output.read_text().count("nothing was started") == 1


@by_each_method
@pytest.mark.parametrize("user", [0, 1000])
def test_a_program_does_not_get_into_the_init_of_an_exec_session(
    latched: Runtime, with_method: Make, method: str, user: int, tmp_path: Path
) -> None:
    """It can write to the programs of the sessions, which are bound.

    The last ones run until they are overwritten: the attack has had the whole of each.
    """
    made = with_method("/bin/intruder", "neighbour")
    made.config["process"]["user"] = {"uid": user, "gid": user}
    made.write()
    words = ["--no-new-privs"] if METHODS[method][1] else []
    output = made.path / "output"
    with running(latched, made):
        wait_until(lambda: "ready" in output.read_text(), "the attacker")
        for _ in range(10):
            latched("exec", *words, made.id, "/bin/exit42")

        def overwrite_a_session() -> bool:
            done = latched("exec", *words, made.id, "/bin/sh", "-c", "while :; do :; done")
            crashed = done.returncode in (128 + signal.SIGSEGV, 128 + signal.SIGILL)
            refused = "nothing was started" in done.stderr  # the attack met the injected load
            assert done.returncode == 77 or crashed or refused, (done.returncode, done.stderr)
            return done.returncode == 77

        wait_until(overwrite_a_session, "a session whose program it overwrites")
    opened = {line.split()[-1] for line in output.read_text().splitlines() if "opened" in line}
    assert not [name for name in opened if name.endswith(latched.name)], opened
    assert not (tmp_path / "tmp/intruded").exists()


@pytest.mark.parametrize("method", ["suspend", "suspend, no_new_privs", "gate"])
def test_a_container_in_the_host_s_pid_namespace_does_not_get_into_another_s_init(
    latched: Runtime, with_method: Make, method: str, tmp_path: Path
) -> None:
    """A private pid namespace stands for the host's, so that other processes are left alone.

    Not with the method hold: there, as under the bare runtime, init is open to it before the load.
    """
    attacker, other = with_method("/bin/intruder", "neighbour"), with_method("/bin/exit42")
    spaces = attacker.config["linux"]["namespaces"]
    attacker.config["linux"]["namespaces"] = [each for each in spaces if each["type"] != "pid"]
    attacker.write()
    script = f"""
{shlex.join(latched.argv("create", "--bundle", attacker.path, attacker.id))} >{attacker.path}/output
{shlex.join(latched.argv("start", attacker.id))}
until grep -q ready {attacker.path}/output; do sleep 0.01; done
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    {shlex.join(latched.argv("run", "--bundle", other.path, other.id))}
    echo status $?
    {shlex.join(latched.argv("delete", "--force", other.id))} 2>/dev/null
done
"""
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    for made in (attacker, other):
        latched("delete", "--force", made.id)
    assert {"status 42"} <= set(done.stdout.splitlines()), done.stderr
    assert not (tmp_path / "tmp/intruded").exists(), (attacker.path / "output").read_text()


STANDIN = {
    "STANDIN_DUMPABLE": "a startContainer hook could write to the memory of the runtime",
    "STANDIN_KEEP_PTRACE": "a startContainer hook has CAP_SYS_PTRACE",
}


@pytest.mark.parametrize("way", list(STANDIN))
def test_a_runtime_with_writable_memory_gets_no_hook(
    way: str, compiler: Compiler, tmp_path: Path
) -> None:
    """The check is what a hook could do, not what the runtime did about its memory."""
    front = copy_front(tmp_path / "fronts", "seclatch-x", compiler("threaded_runtime"))
    log = tmp_path / "log"
    done = subprocess.run(
        [front, "--log", log, "create", compiler("exit42")],
        check=False,
        timeout=60,
        env={**os.environ, "STANDIN_HOOK": str(compiler("exit0")), way: "1"},
    )
    assert done.returncode not in (0, 42)
    assert STANDIN[way] in log.read_text()
