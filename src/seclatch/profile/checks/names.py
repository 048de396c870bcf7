"""Names that are no system call, or none where the profile applies."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.profile.finding import Finding, Severity
from seclatch.model.quoted_text import quote_text
from seclatch.model.syscall import list_syscall_names, load_syscalls
from seclatch.profile.checks.checked_profile import CheckedProfile
from seclatch.profile.parse.suggest_keyword import suggest_nearest


def check_names(subject: CheckedProfile) -> Iterator[Finding]:
    """Runtimes ignore unknown names (runc without a word): the rule then does not exist."""
    claimed = subject.claimed()
    source = load_syscalls(subject.host.arch).source
    for index, rule, name in subject.written():
        if name not in list_syscall_names():
            near = suggest_nearest(name, list_syscall_names())
            yield Finding(
                "unknown-syscall",
                Severity.ERROR if near else Severity.WARNING,
                f"{quote_text(name)} is no system call that libseccomp {source['libseccomp']} or "
                f"Linux {source['linux']} names: runtimes ignore it",
                near or "correct or remove it, or use a libseccomp that knows it",
                subject.written_path(index, name),
            )
        elif not rule.includes.arches and not any(
            load_syscalls(arch).has(name) for arch in claimed
        ):
            arches = ", ".join(arch.scmp for arch in claimed)
            yield Finding(
                "not-on-architecture",
                Severity.NOTE,
                f"{name} exists on none of the profile's architectures ({arches})",
                "remove it, or add the architecture that it is for",
                subject.written_path(index, name),
            )
    yield from _nameless(subject)
    yield from _absent(subject)


def _nameless(subject: CheckedProfile) -> Iterator[Finding]:
    for index, rule in enumerate(subject.profile.rules):
        if not rule.names:
            yield Finding(
                "no-names",
                Severity.WARNING,
                "this rule names no call, so it never matches",
                "name the calls that it is for, or remove it",
                ("syscalls", index),
            )


def _absent(subject: CheckedProfile) -> Iterator[Finding]:
    """Find names that the architecture lacks: arm64 has no open, stat, fork, dup2."""
    meant = {name: None for rule in subject.resolved.rules for name in rule.names}
    for arch in subject.meaning.arches:
        absent = [
            name
            for name in meant
            if name in list_syscall_names() and not load_syscalls(arch).has(name)
        ]
        if absent:
            some = ", ".join(absent[:6]) + (", …" if absent[6:] else "")
            yield Finding(
                "absent-names",
                Severity.NOTE,
                f"{len(absent)} of the names do not exist on {arch.scmp} and say nothing there: "
                f"{some}",
                "where one is the old name of a call, name the newer one too",
            )
