"""What engines and runtimes read differently in this profile."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.action import ActionKind
from seclatch.model.arch import Arch
from seclatch.model.profile.finding import Finding, Severity
from seclatch.model.profile.profile import format_comparisons, list_alternatives
from seclatch.model.quoted_text import quote_text
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.model.syscall import load_syscalls
from seclatch.profile.checks.checked_profile import CheckedProfile
from seclatch.profile.compile.runtime_limits import RUNC_UNKNOWN
from seclatch.profile.parse.text_position import Path


def check_reader_differences(subject: CheckedProfile) -> Iterator[Finding]:
    """Docker and Podman; then runc, crun and youki."""
    yield from _operator(subject)
    yield from _engines(subject)
    yield from _stub(subject)
    yield from _flags(subject)
    yield from _cached(subject)
    yield from _cut_off(subject)
    yield from _youki(subject)


def _operator(subject: CheckedProfile) -> Iterator[Finding]:
    """Find what the security-profiles-operator reads differently in a manifest."""
    wanted: tuple[tuple[str, object, object], ...]
    wanted = (("disabled", True, "false"), ("state", "Disabled", "Enabled"))
    for key, off, on in wanted:
        if subject.manifest.get(key) == off:
            yield Finding(
                "not-installed",
                Severity.WARNING,
                "the operator installs no profile that is disabled: no container can have it",
                f"write `{key}: {on}`",
                (key,),
            )


def _engines(subject: CheckedProfile) -> Iterator[Finding]:
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
                f"Podman reads errno {quote_text(rule.errno_name)}, Docker does not: "
                "it answers EPERM",
                "give errnoRet too",
                ("syscalls", index, "errno"),
            )
    if profile.default_errno_name and profile.default_errno is None:
        yield Finding(
            "docker-errno-name",
            Severity.WARNING,
            f"Podman reads defaultErrno {quote_text(profile.default_errno_name)}, Docker does not",
            "give defaultErrnoRet too",
            ("defaultErrno",),
        )


def _stub(subject: CheckedProfile) -> Iterator[Finding]:
    """runc's answer to calls newer than any that the profile names."""
    default, highest = subject.profile.default, subject.stub_limit
    if highest is None:
        return
    known = load_syscalls(subject.host.arch)
    # What libseccomp has no name for, cannot be named.
    above = sum(
        number > highest for name, number in known.numbers.items() if name not in known.newer
    )
    if not above:
        return
    yield Finding(
        "runc-enosys",
        Severity.NOTE,
        f"runc answers ENOSYS above call {highest} ({known.at(highest)}), {above} known ones among "
        f"them; crun and youki give {default}",
        "name the newest calls explicitly if the difference matters",
        ("defaultAction",),
    )


def _flags(subject: CheckedProfile) -> Iterator[Finding]:
    if subject.profile.flags:
        yield Finding(
            "flags-refused",
            Severity.WARNING,
            "runc before 1.2 refuses a profile with flags; crun takes them",
            "use runc 1.2 or later, or leave the flags out",
            ("flags",),
        )


def _cached(subject: CheckedProfile) -> Iterator[Finding]:
    """Find rules that differ from others in errnoRet alone.

    crun since 1.7 keeps compiled filters by a digest of the profile that leaves errnoRet out
    (measured with 1.21; src/libcrun/seccomp.c is the same in 1.29).
    """
    for index in subject.kept:
        rule = subject.profile.rules[index]
        if rule.errno is not None and rule.effect.kind.takes_data:
            yield Finding(
                "crun-cache",
                Severity.NOTE,
                "crun keeps compiled filters and overlooks errnoRet: after a change of errnoRet "
                "alone, containers still get the earlier one until the next boot",
                "after such a change remove /run/crun/.cache/seccomp (.cache/seccomp below crun's "
                "--root), or write the rule's names in another order",
                ("syscalls", index, "errnoRet"),
            )
            return  # one for a profile is enough


def _cut_off(subject: CheckedProfile) -> Iterator[Finding]:
    """crun has room for as many comparisons as a call has arguments, and passes over the rest."""
    for index, rule in enumerate(subject.profile.rules):
        if len(rule.args) > MAX_ARGS:
            kept = format_comparisons(rule.args[:MAX_ARGS])
            yield Finding(
                "crun-comparisons",
                Severity.WARNING,
                f"crun reads the first {MAX_ARGS} of a rule's comparisons only, so with it this "
                f"one holds where {kept}",
                "write the others in rules of their own",
                ("syscalls", index, "args", MAX_ARGS),
            )


_YOUKI_UNKNOWN = (*RUNC_UNKNOWN, Arch.LOONGARCH64)
_YOUKI_FLAGS = ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",)
_YOUKI_TRACE = 0x7FFF


def _youki(subject: CheckedProfile) -> Iterator[Finding]:
    """Its libcontainer/seccomp makes a rule of each comparison, and of an empty list none."""
    yield from _youki_refuses(subject)
    for index, rule in enumerate(subject.profile.rules):
        path = ("syscalls", index, "args")
        if len(rule.args) > 1 and len(list_alternatives(rule.args)) == 1:
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


def _youki_refuses(subject: CheckedProfile) -> Iterator[Finding]:
    """Find what youki's reader of config.json has no name or no room for."""
    profile = subject.profile
    refused: list[tuple[str, str, Path]] = []
    for number, arch in enumerate(profile.architectures):
        if arch in _YOUKI_UNKNOWN:
            refused.append((arch.scmp, "remove it", ("architectures", number)))
    for number, flag in enumerate(profile.flags or ()):
        if flag in _YOUKI_FLAGS:
            refused.append((flag, "remove it", ("flags", number)))
    for index, rule in enumerate(profile.rules):
        if rule.effect.kind is ActionKind.TRACE and rule.effect.data > _YOUKI_TRACE:
            what = f"a message of {rule.effect.data} to the tracer"
            refused.append((what, f"keep to {_YOUKI_TRACE}", ("syscalls", index, "errnoRet")))
    for what, remedy, path in refused:
        message = f"youki refuses {what}: no container starts with it there"
        yield Finding("youki-refuses", Severity.NOTE, message, remedy, path)
