"""Read a raw BPF program in place of a profile: recognize it by its bytes, decompile it."""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.errors import InputError
from seclatch.filter.classic_bpf import decode
from seclatch.filter.decompile import decompile_filter, find_compared_arches
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Profile
from seclatch.profile.parse.profile_source import ProfileSource


@dataclass(frozen=True, slots=True)
class RecoveredProfile:
    """A program, its rules for one architecture, and a sentence for what those do not say.

    `beyond` has the calls (architecture's title, name) about which that is.
    """

    program: Filter
    profile: Profile
    warnings: tuple[str, ...]
    beyond: frozenset[tuple[str, str]] = frozenset()


def recover_profile(
    source: ProfileSource, native: Arch, *, in_force: bool = False
) -> RecoveredProfile:
    """Decompile the program in `source` for a host of architecture `native`.

    A profile has the same rules for all its architectures. Where the program treats them
    differently, those stay that are treated as `native` is. A program for other ones is refused,
    unless it is `in_force`: then it answers `native` all the same. systemd loads one for each ABI,
    and each allows all calls of the others.
    """
    program = decode.decode_filter(source.data, source.name)
    found = decompile_filter(program, () if find_compared_arches(program) else (native,))
    if in_force and not any(native in profile.architectures for profile in found.profiles):
        found = decompile_filter(program, (native,))
    for profile in found.profiles:
        if native in profile.architectures:
            others = [
                f"{arch.scmp} has other rules in this program, left out"
                for other in found.profiles
                if other is not profile
                for arch in other.architectures
            ]
            beyond = frozenset((kept.arch, kept.calls) for kept in found.kept)
            return RecoveredProfile(program, profile, (*map(str, found.kept), *others), beyond)
    served = ", ".join(arch.scmp for each in found.profiles for arch in each.architectures)
    raise InputError(
        source.name,
        "",
        f"the program is not for {native.scmp} but for {served}",
        remedy="name one of its architectures with --arch",
    )
