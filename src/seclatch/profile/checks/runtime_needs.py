"""What a runtime needs between loading the filter and the program's exec, and would not get."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.action import ENOSYS, EPERM, Action, ActionKind
from seclatch.model.profile.finding import Finding, Severity
from seclatch.model.syscall import load_syscalls
from seclatch.profile.checks.checked_profile import CheckedProfile

# Measured: runc 1.1.15 and crun 1.21 on Linux 6.18, `run`, no_new_privs off (Docker's default).
# Later versions make more.
_RUNC = """
capget capset chdir close epoll_ctl execve faccessat2 fcntl fstat fstatfs futex getcwd getdents64
getpid getppid newfstatat openat prctl read rt_sigreturn setgid setgroups setuid write
"""
_CRUN = """
capset close close_range execve prctl rt_sigaction rt_sigprocmask setresgid setresuid write
"""
NEEDS = {"runc": _RUNC.split(), "crun": _CRUN.split()}

# What they do without where it is answered so (measured: each starts with nothing in its place).
_DISPENSABLE = {"runc": "faccessat2", "crun": "close_range"}
_TAKEN = {Action(ActionKind.ERRNO, EPERM), Action(ActionKind.ERRNO, ENOSYS)}


def check_runtime_needs(subject: CheckedProfile) -> Iterator[Finding]:
    """Find calls without which a plain runtime, bound by the filter it loads, fails or hangs."""
    known = load_syscalls(subject.host.arch)
    for runtime, needs in NEEDS.items():
        missing = [name for name in needs if known.has(name) and not _has(subject, runtime, name)]
        if missing:
            calls = "1 call" if len(missing) == 1 else f"{len(missing)} calls"
            yield Finding(
                "plain-runtime",
                Severity.NOTE,
                f"plain {runtime} itself needs {calls} that this profile does not always allow: "
                f"{', '.join(missing)}",
                "run it under seclatch, which binds the program only; or allow them",
                (),
            )


def _has(subject: CheckedProfile, runtime: str, name: str) -> bool:
    """Is the call made, or answered in a way that the runtime goes on from?"""
    if subject.meaning.always_executes(name):
        return True
    if name != _DISPENSABLE[runtime]:
        return False
    stubbed = runtime == "runc" and subject.stubbed(name)
    return stubbed or subject.meaning.outcomes(name) <= _TAKEN
