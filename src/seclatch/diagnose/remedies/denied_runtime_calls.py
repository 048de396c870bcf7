"""List all calls of a runtime under its filter that a profile denies."""

from __future__ import annotations

from seclatch.diagnose.denials.matching_rule import ProfileEvaluator
from seclatch.diagnose.evidence.container_bundles import BundleContainer
from seclatch.diagnose.evidence.trial_start import try_exec, try_start
from seclatch.diagnose.remedies.exposure import describe_exposure
from seclatch.model.explanation import NeededCall, RuntimeNeeds
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.profile.checks.runtime_needs import NEEDS

# Measured as NEEDS was: the same runtimes with no_new_privs, and their `exec`.
_NEEDS_NO_NEW_PRIVS = {
    "runc": "close epoll_ctl execve fcntl fstatfs futex getdents64 getpid openat "
    "rt_sigreturn write",
    "crun": "close close_range execve",
}
_NEEDS_EXEC = {
    "runc": "capget capset chdir close epoll_ctl execve faccessat2 fcntl fstat fstatfs futex "
    "getcwd getdents64 newfstatat openat prctl read rt_sigreturn setgid setgroups setuid",
    "crun": "capset close close_range execve fchown ioctl openat prctl read setgroups setresgid "
    "setresuid statx umask write",
}
_NEEDS_EXEC_NO_NEW_PRIVS = {
    "runc": "close epoll_ctl execve fcntl fstatfs futex getdents64 openat rt_sigreturn",
    "crun": "close close_range execve umask write",
}
_SOMETIMES = {"futex", "rt_sigreturn"}


def find_runtime_needs(
    evaluator: ProfileEvaluator, container: BundleContainer, *, joined: bool
) -> RuntimeNeeds:
    """Return them, observed in a start or an exec under the latch if possible.

    Else, and for rare calls, from tables of earlier measurements.
    """
    quiet = container.no_new_privileges
    made = (try_exec if joined else try_start)(evaluator.runtime, container)
    denied = {call.syscall.name for call in made if evaluator.denies(call.syscall, call.args)}
    known = _filter_denied(evaluator, _look_up_needs(evaluator.runtime, quiet=quiet, joined=joined))
    rare = known & _SOMETIMES - denied
    names = (denied | rare) if made else known
    # Not by the profile once more: a rule may deny only the arguments that the runtime uses.
    less = set(_look_up_needs(evaluator.runtime, quiet=True, joined=joined)) & names
    return RuntimeNeeds(
        runtime=evaluator.runtime,
        found=("exec" if joined else "trial") if made else "table",
        calls=[
            NeededCall(syscall=name, opens=describe_exposure(name), sometimes=name in _SOMETIMES)
            for name in sorted(names)
        ],
        with_no_new_privs=None if quiet else sorted(less),
    )


def _look_up_needs(runtime: str, *, quiet: bool, joined: bool) -> list[str]:
    if joined:
        return (_NEEDS_EXEC_NO_NEW_PRIVS if quiet else _NEEDS_EXEC).get(runtime, "").split()
    return _NEEDS_NO_NEW_PRIVS.get(runtime, "").split() if quiet else NEEDS.get(runtime, [])


def _filter_denied(evaluator: ProfileEvaluator, names: list[str]) -> set[str]:
    """Return the calls that the profile denies with arguments of zero."""
    numbers = load_syscalls(evaluator.native).numbers
    return {
        name
        for name in names
        if name in numbers
        and evaluator.denies(Syscall(evaluator.native, numbers[name], name), (0, 0, 0, 0, 0, 0))
    }
