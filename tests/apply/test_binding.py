"""The profile binds the program from its first instruction, exactly, and nothing else changes."""

from __future__ import annotations

import errno
import json
import os
import platform
import subprocess
from typing import Any

import pytest

from seclatch.system.read_filters import read_filters
from tests.apply.conftest import NOBODY, Applier
from tests.latch.oci import case, status, wait_until

DENY_TWO = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["getpgid", "personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7}],
}
ONLY_EXIT = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [{"names": ["exit_group"], "action": "SCMP_ACT_ALLOW"}],
}


def test_first_instruction(apply: Applier) -> None:
    """The program's first instruction is a denied call, and execve is denied too."""
    assert apply(ONLY_EXIT, apply.program("first_denied")).returncode == errno.EPERM
    assert apply(DENY_TWO, apply.program("first_denied")).returncode == 7
    assert subprocess.run([apply.program("first_denied")], check=False).returncode == 0


def test_the_kernel_kills_at_the_first_instruction(apply: Applier) -> None:
    assert apply("exit-only", apply.program("exit42")).returncode == 42
    assert apply("exit-only", apply.program("first_denied")).returncode == -31  # SIGSYS


@pytest.mark.skipif(platform.machine() != "x86_64", reason="32-bit x86 needs an x86-64 kernel")
def test_first_instruction_of_a_32_bit_program(apply: Applier) -> None:
    profile = {**DENY_TWO, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]}
    program = apply.program("first_denied_i386", "-m32")
    assert apply(profile, program).returncode == 7
    exact = {**ONLY_EXIT, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]}
    assert apply(exact, program).returncode == errno.EPERM
    # A filter that does not know the ABI kills: the program is then killed by its own filter.
    assert apply(ONLY_EXIT, program).returncode == -31


@pytest.mark.root
@pytest.mark.parametrize("profile", ["stali-like", "exit-only"])
def test_the_filter_in_the_kernel_is_the_compiled_one(apply: Applier, profile: str) -> None:
    value = case(profile)
    value["syscalls"][0]["names"] += ["pause", "ppoll"]
    chosen = apply.filter(value)
    child = subprocess.Popen(
        apply.argv(chosen, apply.program("pausing")), user=NOBODY, group=NOBODY, extra_groups=[]
    )
    try:
        wait_until(lambda: status(child.pid).get("Seccomp_filters") == "1", "the filter")
        wait_until(lambda: status(child.pid)["TracerPid"] == "0", "the tracer to leave")
        assert read_filters(child.pid) == [chosen.read_bytes()]
        assert status(child.pid)["NoNewPrivs"] == "1"
    finally:
        child.kill()
        child.wait()


def test_long_filters(apply: Applier) -> None:
    """4096 instructions, the kernel's limit, all on the program's new stack."""
    load, allow = b"\x20\0\0\0\0\0\0\0", b"\x06\0\0\0\0\0\xff\x7f"
    path = apply.folder / "long.bpf"
    path.write_bytes(load * 4095 + allow)
    assert apply(path, apply.program("exit42")).returncode == 42
    path.write_bytes(load * 4096 + allow)
    done = apply(path, apply.program("exit42"))
    assert done.returncode == 125
    assert "4096" in done.stderr


FACTS = """
import json, os, signal, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({
    "pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0), "group": os.getpgrp(),
    "environment": dict(os.environ), "arguments": sys.argv, "directory": os.getcwd(),
    "descriptors": sorted(map(int, os.listdir("/proc/self/fd"))),
    "status": {key: status[key].strip() for key in status if key != "SigQ" and key.startswith(
        ("Sig", "Shd", "Cap", "Uid", "Gid", "Groups", "Umask", "CoreDumping", "THP", "TracerPid")
    )},
    "limits": open("/proc/self/limits").read(),
    "children": open("/proc/thread-self/children").read(),
}))
"""


def facts(words: list[str]) -> dict[str, Any]:
    child = subprocess.Popen(
        [*words, "/usr/bin/python3", "-c", FACTS, "a b", ""],
        stdout=subprocess.PIPE,
        cwd="/tmp",
        env={"PATH": "/usr/bin:/bin", "X": "1\n2"},
        restore_signals=False,
        umask=0o27,
    )
    text, _ = child.communicate()
    result: dict[str, Any] = json.loads(text)
    assert result.pop("pid") == child.pid
    assert result.pop("parent") == os.getpid()
    return result


def test_the_program_sees_the_same_as_without_apply(apply: Applier) -> None:
    bare = facts(["/usr/bin/setpriv", "--no-new-privs", "--"])
    assert facts(apply.argv(DENY_TWO)) == bare


def test_threads_are_bound(apply: Applier) -> None:
    script = """
import os, threading
def work():
    assert "Seccomp:\\t2" in open("/proc/thread-self/status").read()
    try:
        os.getpgid(0)
    except OSError as error:
        found.append(error.errno)
found = []
threads = [threading.Thread(target=work) for _ in range(8)]
[one.start() for one in threads]
[one.join() for one in threads]
print(found)
"""
    done = apply(DENY_TWO, "/usr/bin/python3", "-c", script)
    assert done.stdout.strip() == str([7] * 8), done.stderr


def test_scripts(apply: Applier) -> None:
    script = apply.folder / "script"
    script.write_text(f"#!{apply.program('first_denied')}\n")
    script.chmod(0o755)
    assert apply(DENY_TWO, script).returncode == 7


@pytest.mark.root
def test_a_setuid_program_gains_nothing(apply: Applier) -> None:
    program = apply.folder / "suid"
    program.write_bytes(apply.program("whoami").read_bytes())
    program.chmod(0o4755)
    bare = subprocess.run(
        [program], capture_output=True, text=True, user=NOBODY, group=NOBODY, check=True
    )
    assert bare.stdout.split() == [str(NOBODY), "0"], "the file system must honour set-uid"
    assert apply(DENY_TWO, program).stdout.split() == [str(NOBODY)] * 2


def test_stacked_filters(apply: Applier) -> None:
    """Each of two profiles holds, whichever is outside; of two answers the stricter one wins."""
    inner = apply.argv(DENY_TWO, apply.program("first_denied"))
    killing = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["personality"], "action": "SCMP_ACT_KILL_PROCESS"}],
    }
    assert apply({"defaultAction": "SCMP_ACT_ALLOW"}, *inner).returncode == 7
    assert apply(killing, *inner).returncode == -31
    status_text = apply(DENY_TWO, *apply.argv(killing, "/bin/cat", "/proc/self/status"))
    assert "Seccomp_filters:\t2" in status_text.stdout


def test_pid_1_has_no_child_to_wait_for(apply: Applier) -> None:
    """Every orphan of a pid namespace becomes pid 1's child.

    The tracer must not be one: a program that waits for its own children would find it.
    """
    script = (
        "import os, time\ntime.sleep(0.2)\n"
        "try: print(os.getpid(), os.waitpid(-1, os.WNOHANG))\n"
        "except ChildProcessError: print(os.getpid(), 'none')"
    )
    words = ["unshare", "-Ur", "--pid", "--fork", "--mount-proc"]
    done = apply(DENY_TWO, "/usr/bin/python3", "-c", script, outer=words)
    assert done.stdout.split() == ["1", "none"], done.stderr
    done = apply(ONLY_EXIT, apply.program("first_denied"), outer=words)
    assert done.returncode == errno.EPERM


def test_a_command_on_path_and_a_missing_one(apply: Applier) -> None:
    assert apply(DENY_TWO, "true", env={"PATH": "/usr/bin"}).returncode == 0
    done = apply(DENY_TWO, "no-such-program", env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 127
    assert done.stderr.splitlines() == [
        "seclatch-apply: cannot execute no-such-program: No such file or directory"
    ]
    assert apply(DENY_TWO, "/etc/passwd").returncode == 126
