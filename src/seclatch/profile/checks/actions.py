"""Actions that do something else than most think."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.action import MAX_ERRNO, Action, ActionKind
from seclatch.model.profile.finding import Finding, Severity
from seclatch.profile.checks.checked_profile import CheckedProfile
from seclatch.profile.parse.text_position import Path

_MEANT = "use SCMP_ACT_KILL_PROCESS, unless the rest of the process shall go on"


def check_actions(subject: CheckedProfile) -> Iterator[Finding]:
    """KILL that leaves threads behind; errnos with no effect; notifications with no listener."""
    yield from _one(subject.profile.default, subject.profile.default_errno, ("defaultAction",))
    for index, rule in enumerate(subject.profile.rules):
        yield from _one(rule.effect, rule.errno, ("syscalls", index, "action"))
    yield from _notify(subject)


def _one(action: Action, errno: int | None, path: Path) -> Iterator[Finding]:
    if action.kind is ActionKind.KILL_THREAD:
        yield Finding(
            "kills-one-thread",
            Severity.WARNING,
            "this kills the calling thread only; the others go on, often in a deadlock",
            _MEANT,
            path,
        )
    if errno is not None and not action.kind.takes_data:
        yield Finding(
            "errno-unused",
            Severity.WARNING,
            f"errnoRet {errno} has no meaning with {action.kind.scmp}: runc ignores it, crun "
            "refuses the profile",
            "remove errnoRet",
            path,
        )
    if action.kind is ActionKind.ERRNO and action.data == 0:
        yield Finding(
            "feigned-success",
            Severity.WARNING,
            "ERRNO 0 feigns success: the call is not made and the program is told it was",
            "answer an errno, unless that is meant",
            path,
        )
    if action.kind is ActionKind.ERRNO and action.data >= MAX_ERRNO:
        yield Finding(
            "errno-too-big",
            Severity.ERROR,
            f"errnoRet {action.data}: libseccomp takes none above {MAX_ERRNO - 1}",
            "use a number of errno(3)",
            path,
        )


def _notify(subject: CheckedProfile) -> Iterator[Finding]:
    rules = [
        (index, rule)
        for index, rule in enumerate(subject.profile.rules)
        if rule.effect.kind is ActionKind.NOTIFY
    ]
    default = subject.profile.default.kind is ActionKind.NOTIFY
    if not rules and not default:
        return
    path: Path = ("syscalls", rules[0][0], "action") if rules else ("defaultAction",)
    if not subject.profile.listener_path:
        yield Finding(
            "no-listener",
            Severity.ERROR,
            "NOTIFY without listenerPath: runtimes refuse it, and without a listener the kernel "
            "answers ENOSYS",
            "give listenerPath, the socket of the seccomp agent",
            path,
        )
    if default or any("write" in rule.names for _, rule in rules):
        yield Finding(
            "notify-write",
            Severity.ERROR,
            "NOTIFY for write (or as default): runc must write to its parent after the filter is "
            "on, and refuses the profile",
            "leave write out of it",
            path,
        )
    yield Finding(
        "notify-race",
        Severity.NOTE,
        "an agent that answers `continue` decides on memory that the program can change meanwhile "
        "(seccomp_unotify(2))",
        "let the agent make the call itself, and never guard by NOTIFY alone",
        path,
    )
