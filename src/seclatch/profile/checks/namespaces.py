"""Ways to a user namespace, in which a program is root and meets more of the kernel."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.action import ENOSYS, Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.profile.finding import Finding, Severity
from seclatch.profile.checks.checked_profile import CheckedProfile

CLONE_NEWUSER = 0x10000000
_NO_ARGS = 6

# Without CLONE_NEWTIME, which for clone(2) is the signal at the end.
NAMESPACES = 0x7E020000

_USER = "with CLONE_NEWUSER it makes user namespaces, in which a program is root and meets more of "
# call → why it matters
CALLS = {
    "clone": f"{_USER}the kernel",
    "unshare": f"{_USER}the kernel",
    "setns": "it enters namespaces of processes that the program can see",
    "clone3": "its flags lie in memory, so no rule can keep namespaces out",
}


def check_namespaces(subject: CheckedProfile) -> Iterator[Finding]:
    """clone, unshare, setns; and clone3, whose flags lie in memory that no filter can read."""
    for name in ("clone", "unshare"):
        if _makes_user_namespace(subject, name):
            yield Finding(
                "user-namespace",
                Severity.WARNING,
                f"{name} with CLONE_NEWUSER is allowed",
                f"allow it only where the namespace flags are 0: MASKED_EQ with {NAMESPACES:#x}",
                subject.place_of(name),
            )
    if subject.meaning.may_execute("setns"):
        yield Finding(
            "user-namespace",
            Severity.NOTE,
            f"setns is allowed: {CALLS['setns']}",
            "leave it out unless the program needs it",
            subject.place_of("setns"),
        )
    yield from _clone3(subject)


def _makes_user_namespace(subject: CheckedProfile, name: str) -> bool:
    """Try the flag alone, and with a signal number as fork(3) gives it."""
    # s390 takes clone's flags as its second argument (clone(2), "C library/kernel differences").
    swapped = name == "clone" and subject.host.arch in (Arch.S390, Arch.S390X)
    values = [0] * _NO_ARGS
    for flags in (CLONE_NEWUSER, CLONE_NEWUSER | 17):
        values[1 if swapped else 0] = flags
        if subject.meaning.verdict(name, values).kind.executes:
            return True
    return False


def _clone3(subject: CheckedProfile) -> Iterator[Finding]:
    refused = subject.meaning.outcomes("clone3") - {Action(ActionKind.ERRNO, ENOSYS)}
    if subject.meaning.may_execute("clone3"):
        yield Finding(
            "clone3-open",
            Severity.WARNING,
            f"clone3 is allowed: {CALLS['clone3']}",
            "answer it with ERRNO 38 (ENOSYS): libc then uses clone",
            subject.place_of("clone3"),
        )
    elif refused and subject.meaning.may_execute("clone"):
        stubbed = subject.stubbed("clone3")
        yield Finding(
            "clone3-not-enosys",
            Severity.WARNING,
            f"{'with crun ' if stubbed else ''}clone3 gets {' or '.join(sorted(map(str, refused)))}"
            ": glibc 2.34 and later falls back to clone only on ENOSYS, so threads and processes "
            f"fail{'; runc answers ENOSYS' if stubbed else ''}",
            'add {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}',
            subject.place_of("clone3"),
        )
