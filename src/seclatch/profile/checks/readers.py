"""What engines and runtimes read differently in this profile."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.action import Kind
from seclatch.model.finding import Finding, Severity
from seclatch.model.syscall import table
from seclatch.profile.checks.subject import Subject


def check(subject: Subject) -> Iterator[Finding]:
    """Docker and Podman; then runc, crun and youki."""
    yield from _engines(subject)
    yield from _stub(subject)
    yield from _flags(subject)
    yield from _youki(subject)


def _engines(subject: Subject) -> Iterator[Finding]:
    profile = subject.profile
    for index, rule in enumerate(profile.rules):
        if rule.includes.min_kernel or rule.excludes.min_kernel:
            key = "includes" if rule.includes.min_kernel else "excludes"
            yield Finding(
                "podman-min-kernel",
                Severity.NOTE,
                "Docker reads minKernel, Podman does not: there the rule is always in force",
                "write a profile of its own for Podman if that matters",
                ("syscalls", index, key, "minKernel"),
            )
        if rule.errno_name and rule.errno is None:
            yield Finding(
                "docker-errno-name",
                Severity.WARNING,
                f"Podman reads errno {rule.errno_name!r}, Docker does not: it answers EPERM",
                "give errnoRet too",
                ("syscalls", index, "errno"),
            )
    if profile.default_errno_name and profile.default_errno is None:
        yield Finding(
            "docker-errno-name",
            Severity.WARNING,
            f"Podman reads defaultErrno {profile.default_errno_name!r}, Docker does not",
            "give defaultErrnoRet too",
            ("defaultErrno",),
        )


def _stub(subject: Subject) -> Iterator[Finding]:
    """runc's answer to calls newer than any that the profile names."""
    default = subject.profile.default
    if default.kind in (Kind.ALLOW, Kind.LOG, Kind.TRACE):
        return
    known = table(subject.host.arch)
    named = [known.numbers.get(name, -1) for rule in subject.resolved.rules for name in rule.names]
    highest = max(named, default=-1)
    if highest <= 0:
        return
    above = sum(number > highest for number in known.names)
    yield Finding(
        "runc-enosys",
        Severity.NOTE,
        f"runc answers ENOSYS above call {highest} ({known.at(highest)}), {above} known ones among "
        f"them; crun and youki give {default}",
        "name the newest calls explicitly if the difference matters",
        ("defaultAction",),
    )


def _flags(subject: Subject) -> Iterator[Finding]:
    if subject.profile.flags:
        yield Finding(
            "flags-refused",
            Severity.WARNING,
            "runc before 1.2 refuses a profile with flags; crun takes them",
            "use runc 1.2 or later, or leave the flags out",
            ("flags",),
        )


def _youki(subject: Subject) -> Iterator[Finding]:
    """Its libcontainer/seccomp makes a rule of each comparison, and of an empty list none."""
    for index, rule in enumerate(subject.profile.rules):
        path = ("syscalls", index, "args")
        if len({arg.index for arg in rule.args}) > 1:
            yield Finding(
                "youki-alternatives",
                Severity.WARNING,
                "runc and crun want all these comparisons to hold, youki any one of them",
                "do not rely on it with youki",
                path,
            )
        if subject.raw["syscalls"][index].get("args") == []:
            yield Finding(
                "youki-empty-args",
                Severity.NOTE,
                'with "args": [] youki drops the rule, unless an engine left the key out before',
                "leave `args` out",
                path,
            )
