"""Conditions that no host or container can meet, and such as say nothing."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model import capability
from seclatch.model.arch import Arch
from seclatch.model.profile.finding import Finding, Severity
from seclatch.model.profile.profile import Condition, Rule
from seclatch.model.quoted_text import quote_text
from seclatch.model.syscall import list_syscall_names, load_syscalls
from seclatch.profile.checks.checked_profile import CheckedProfile
from seclatch.profile.compile.resolve_profile import Host
from seclatch.profile.parse.suggest_keyword import suggest_nearest
from seclatch.profile.parse.text_position import Path

SPELLED = {Host(arch).spelled: arch for arch in Arch}
"""What engines call a host's architecture, and so what `arches` is compared with."""

_FIRST = (3, 5)
"""Seccomp filters came with Linux 3.5."""

_BEYOND = 20
"""A major version that Linux will not reach for decades."""


def check_conditions(subject: CheckedProfile) -> Iterator[Finding]:
    """Each rule by itself: can it be in force anywhere, and does each word in it matter?"""
    for index, rule in enumerate(subject.profile.rules):
        path: Path = ("syscalls", index)
        for key, condition in (("includes", rule.includes), ("excludes", rule.excludes)):
            yield from _words(condition, key, path)
        dead = _why_dead(rule)
        if dead:
            yield Finding(
                "dead-rule",
                Severity.WARNING,
                f"this rule is in force on no host and in no container: {dead}",
                "correct the condition, or remove the rule",
                path,
            )
        else:
            yield from _elsewhere(subject, rule, index)


def _words(condition: Condition, key: str, path: Path) -> Iterator[Finding]:
    """Names that are none: such a word never matches."""
    for number, name in enumerate(condition.caps):
        if name not in capability.ALL:
            yield Finding(
                "unknown-capability",
                Severity.ERROR,
                f"{quote_text(name)} is no capability: no container has it",
                suggest_nearest(name, sorted(capability.ALL)) or "remove it",
                (*path, key, "caps", number),
            )
    for number, name in enumerate(condition.arches):
        if name not in SPELLED:
            yield Finding(
                "unknown-arch",
                Severity.ERROR,
                f"{quote_text(name)}: engines call no host so",
                _respell(name) or "remove it",
                (*path, key, "arches", number),
            )
    if condition.min_kernel and condition.min_kernel <= _FIRST:
        yield Finding(
            "idle-min-kernel",
            Severity.NOTE,
            "minKernel {}.{}: every kernel with seccomp filters is as new".format(
                *condition.min_kernel
            ),
            "remove it",
            (*path, key, "minKernel"),
        )


def _respell(name: str) -> str:
    """`SCMP_ARCH_X86_64` and `x86_64` are `amd64` here."""
    try:
        return f"write {Host(Arch.parse(name)).spelled}"
    except ValueError:
        return suggest_nearest(name, SPELLED)


def live_arches(rule: Rule) -> list[Arch]:
    """Return the hosts' architectures on which the rule can be in force."""
    wanted, without = rule.includes.arches, rule.excludes.arches
    return [
        arch
        for name, arch in SPELLED.items()
        if (not wanted or name in wanted) and name not in without
    ]


def _why_dead(rule: Rule) -> str:
    """Return the condition that no host or container can meet; "" if there is none."""
    wanted, without = rule.includes, rule.excludes
    both = sorted(set(wanted.caps) & set(without.caps))
    if both:
        return f"it asks for {both[0]} and for its absence"
    strange = sorted(set(wanted.caps) - capability.ALL)
    if strange:
        return f"it asks for {strange[0]}, which is no capability"
    if not live_arches(rule):
        return "the architectures that it asks for are excluded, or are none"
    return _kernel_problem(wanted.min_kernel, without.min_kernel)


def _kernel_problem(least: tuple[int, int] | None, bound: tuple[int, int] | None) -> str:
    """`includes` asks for a kernel from `least` on, `excludes` for one below `bound`."""
    if least and least[0] >= _BEYOND:
        return "there is no Linux {}.{}".format(*least)
    if bound and bound <= _FIRST:
        return "Linux has had seccomp filters from 3.5 on only, and those are excluded"
    if least and bound and bound <= least:
        return "it asks for Linux {}.{} and for one before {}.{}".format(*least, *bound)
    return ""


def _elsewhere(subject: CheckedProfile, rule: Rule, index: int) -> Iterator[Finding]:
    """Find rules for some architectures with names that those lack."""
    if not rule.includes.arches:
        return  # `names` looks at those
    arches = [each for arch in live_arches(rule) for each in (arch, *arch.compat)]
    for name in rule.names:
        if name in list_syscall_names() and not any(
            load_syscalls(arch).has(name) for arch in arches
        ):
            yield Finding(
                "not-on-architecture",
                Severity.NOTE,
                f"{name} exists on none of the architectures that the rule asks for",
                "remove it, or ask for the architecture that it is for",
                subject.written_path(index, name),
            )
