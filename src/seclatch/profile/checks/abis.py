"""Further ABIs that the profile opens, or closes unawares."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.arch import Arch
from seclatch.model.profile.finding import Finding, Severity
from seclatch.profile.checks.checked_profile import CheckedProfile


def check_abis(subject: CheckedProfile) -> Iterator[Finding]:
    """libseccomp kills on ABIs that are not listed; each one listed is attack surface."""
    native, listed = subject.host.arch, subject.meaning.arches
    for arch in native.compat:
        key = "archMap" if subject.profile.arch_map else "architectures"
        if arch is Arch.X32 and arch in listed:
            yield Finding(
                "x32-open",
                Severity.WARNING,
                "the x32 ABI is open: next to no program uses it, and it doubles the calls",
                "remove SCMP_ARCH_X32; libseccomp then kills on x32 calls",
                (key,),
            )
        elif arch in listed:
            yield Finding(
                "compat-open",
                Severity.NOTE,
                f"the 32-bit ABI {arch.scmp} is open, also to 64-bit programs (int 0x80 on x86)",
                f"remove {arch.scmp} unless the image has 32-bit programs",
                (key,),
            )
        elif arch is not Arch.X32:
            yield Finding(
                "compat-closed",
                Severity.NOTE,
                f"{arch.scmp} is not listed: a 32-bit program is killed at its first call, "
                "whatever the default action",
                f"add {arch.scmp} if the image has 32-bit programs",
                (key,) if subject.raw.get(key) else (),
            )
    yield from _uncovered(subject)


def _uncovered(subject: CheckedProfile) -> Iterator[Finding]:
    """Find an archMap without the host's architecture: only the native ABI is then filtered."""
    mapped = [arch for arch, _ in subject.profile.arch_map]
    if mapped and subject.host.arch not in mapped:
        yield Finding(
            "host-not-mapped",
            Severity.NOTE,
            f"archMap has no entry for {subject.host.arch.scmp}: only that ABI is then open",
            "add an entry for it",
            ("archMap",),
        )
