"""Raw BPF programs in the place of profiles: told by their bytes, decompiled to rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seclatch.errors import InputError
from seclatch.filter import decode
from seclatch.filter.decompile import decompile
from seclatch.model.arch import Arch
from seclatch.model.profile import Profile


@dataclass(frozen=True, slots=True)
class Recovered:
    """The rules for one architecture, and one sentence for each thing that they do not say."""

    profile: Profile
    warnings: tuple[str, ...]


def is_program(path: Path) -> bool:
    """Has the file a NUL byte near its start? JSON and YAML have none, a program always does.

    (BPF's opcodes are 16-bit numbers below 256.) A file that cannot be read is none; reading it
    as a profile then tells why.
    """
    try:
        with path.open("rb") as file:
            return b"\0" in file.read(8)
    except OSError:
        return False


def recover(path: Path, native: Arch) -> Recovered:
    """Decompile the program in `path` for a host of architecture `native`.

    A profile has the same rules for all its architectures. Where the program treats them
    differently, those stay that are treated as `native` is.
    """
    found = decompile(decode.load(path))
    for profile in found.profiles:
        if native in profile.architectures:
            others = [
                f"{arch.scmp} has other rules in this program, left out"
                for other in found.profiles
                if other is not profile
                for arch in other.architectures
            ]
            return Recovered(profile, (*map(str, found.kept), *others))
    served = ", ".join(arch.scmp for each in found.profiles for arch in each.architectures)
    raise InputError(
        str(path),
        "",
        f"the program is not for {native.scmp} but for {served}",
        remedy="name one of its architectures with --arch",
    )
