"""The main promise: a profile that stops the bare runtime starts under the latch, and binds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.latch.oci import Bundle, Runtime, case, created, is_alive, running, status, wait_until

pytestmark = pytest.mark.root

EPERM = 1
MakeBundle = Callable[..., Bundle]


def test_run_needs_nothing_for_the_runtime(
    plain: Runtime, latched: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"), no_new_privileges=no_new_privileges)
    assert plain.bound("run", "--bundle", made.path, made.id).returncode not in (0, 42)
    plain("delete", "--force", made.id)
    done = latched("run", "--bundle", made.path, made.id)
    assert (done.returncode, done.stdout, done.stderr) == (42, "", "")


def test_create_and_start_need_nothing_for_the_runtime(
    plain: Runtime, latched: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"), no_new_privileges=no_new_privileges)
    with created(latched, made) as pid:
        assert is_alive(pid)
        assert latched("start", made.id).returncode == 0
        wait_until(lambda: not is_alive(pid), "the program's end")
        assert '"stopped"' in latched("state", made.id).stdout.replace(" ", "")


def test_exec_needs_nothing_for_the_runtime(
    plain: Runtime, latched: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    made = bundle(
        ["/bin/sleep", "100"], seccomp=case("stali-like"), no_new_privileges=no_new_privileges
    )
    # the command of exec is bound by the container's profile: allow exit_group alone
    made.config["linux"]["seccomp"] = case("exit-only")
    made.config["linux"]["seccomp"]["syscalls"][0]["names"] += SLEEP_CALLS
    made.write()
    flags = ["--no-new-privs"] if no_new_privileges else []
    with running(latched, made):
        assert plain.bound("exec", *flags, made.id, "/bin/exit42").returncode not in (0, 42)
        done = latched("exec", *flags, made.id, "/bin/exit42")
        assert (done.returncode, done.stdout) == (42, "")


# The calls of a static busybox sleep itself, on x86-64 and arm64.
SLEEP_CALLS = [
    "brk",
    "arch_prctl",
    "set_tid_address",
    "set_robust_list",
    "rseq",
    "prlimit64",
    "readlinkat",
    "readlink",
    "getrandom",
    "mprotect",
    "prctl",
    "getuid",
    "clock_nanosleep",
    "nanosleep",
    "uname",
    "newfstatat",
    "restart_syscall",
]


def test_the_first_instruction_is_bound(
    latched: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": ["exit_group"], "action": "SCMP_ACT_ALLOW"}],
    }
    free = bundle(["/bin/first_denied"], seccomp=None)
    assert latched("run", "--bundle", free.path, free.id).returncode == 0
    bound = bundle(["/bin/first_denied"], seccomp=profile, no_new_privileges=no_new_privileges)
    assert latched("run", "--bundle", bound.path, bound.id).returncode == EPERM


def test_a_killing_profile_kills_at_the_first_instruction(
    latched: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    sigsys = 31
    made = bundle(
        ["/bin/first_denied"], seccomp=case("exit-only"), no_new_privileges=no_new_privileges
    )
    assert latched("run", "--bundle", made.path, made.id).returncode == 128 + sigsys


def test_the_profile_of_the_original_question(
    plain: Runtime, latched: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    script = "grep -E '^(NoNewPrivs|Seccomp|TracerPid)' /proc/self/status; mkdir /tmp/x; echo $?"
    made = bundle(
        ["/bin/sh", "-c", script],
        seccomp=case("stali-like"),
        no_new_privileges=no_new_privileges,
    )
    failed = plain.bound("run", "--bundle", made.path, made.id)
    plain("delete", "--force", made.id)
    # crun with no_new_privs needs close, close_range and execve after its filter, and ignores an
    # error from the first two; the profile allows execve.
    if (plain.name, no_new_privileges) != ("crun", True):
        assert failed.returncode != 0
        assert "Seccomp" not in failed.stdout
    done = latched("run", "--bundle", made.path, made.id)
    facts = dict(line.split(":\t") for line in done.stdout.splitlines() if ":" in line)
    assert facts == {
        "TracerPid": "0",
        "NoNewPrivs": str(int(no_new_privileges)),
        "Seccomp": "2",
        "Seccomp_filters": "1",
    }
    assert done.stdout.splitlines()[-1] == "1"
    # the errno varies: runc answers ENOSYS above the highest named call, the profile says EPERM
    assert "mkdir: can't create directory '/tmp/x'" in done.stderr


def test_the_host_sees_filter_and_no_tracer(
    latched: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    made = bundle(
        ["/bin/sleep", "100"], seccomp=case("stali-like"), no_new_privileges=no_new_privileges
    )
    with running(latched, made) as pid:
        facts = wait_until(
            lambda: (s := status(pid))["TracerPid"] == "0" and s, "the tracer to leave"
        )
        assert (facts["Seccomp"], facts["Seccomp_filters"]) == ("2", "1")
        assert facts["NoNewPrivs"] == str(int(no_new_privileges))


def test_a_container_without_a_filter_gets_none(latched: Runtime, bundle: MakeBundle) -> None:
    made = bundle(["/bin/grep", "^Seccomp:", "/proc/self/status"], seccomp=None)
    done = latched("run", "--bundle", made.path, made.id)
    assert (done.returncode, done.stdout.split()) == (0, ["Seccomp:", "0"])
