"""Compile the profile that is to be put on running processes."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import Literal

from seclatch.errors import InputError
from seclatch.filter.classic_bpf.decode import decode_filter
from seclatch.model.action import ActionKind
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Profile
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Host, narrow_profile
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.profile.parse.profile_source import ProfileSource

# SECCOMP_FILTER_FLAG_*, <linux/seccomp.h>.
_FLAGS = {"SECCOMP_FILTER_FLAG_LOG": 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4}
_MAX_INSTRUCTIONS = 4096


@dataclass(frozen=True, slots=True)
class FurtherFilter:
    """A compiled profile: its instructions for the kernel, and for queries.

    `profile` is resolved; None for a file that holds a BPF program. `ignored` are names that
    libseccomp does not know.
    """

    name: str
    code: bytes
    flags: int
    program: Filter
    profile: Profile | None = None
    ignored: tuple[str, ...] = ()


def compile_further_filter(
    source: ProfileSource, capabilities: frozenset[str], runtime: Runtime
) -> FurtherFilter:
    """Compile a profile or BPF program; conditions are resolved for these capabilities.

    Raises InputError for what cannot be put on a running process.
    """
    if source.is_program:
        return FurtherFilter(source.name, source.data, 0, decode_program(source.data, source.name))
    document = parse_profile(source.text(), source.name)
    if not document.default_action:
        raise InputError(source.name, "", "the empty profile stands for no seccomp at all")
    profile = narrow_profile(document, _describe_host(capabilities))
    effects = (profile.default, *(rule.effect for rule in profile.rules))
    if any(effect.kind is ActionKind.NOTIFY for effect in effects):
        raise InputError(
            source.name,
            "",
            "SCMP_ACT_NOTIFY: no listener can be given to a container that runs already",
            remedy="use SCMP_ACT_ERRNO",
        )
    compiled = compile_profile(profile, runtime=runtime)
    if len(compiled.code) > _MAX_INSTRUCTIONS * 8:
        raise InputError(
            source.name,
            "",
            f"{len(compiled.code) // 8} instructions: the kernel takes 4096 at most",
            remedy="name fewer architectures, or simplify the conditions",
        )
    flags = sum(_FLAGS.get(name, 0) for name in profile.flags or ())
    decoded = decode_program(compiled.code, source.name)
    return FurtherFilter(source.name, compiled.code, flags, decoded, profile, compiled.ignored)


def decode_program(code: bytes, name: str) -> Filter:
    """Decode a program of this machine's byte order."""
    order: Literal["little", "big"] = "little" if sys.byteorder == "little" else "big"
    return decode_filter(code, name, order)


def _describe_host(capabilities: frozenset[str]) -> Host:
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    kernel = (int(release[1]), int(release[2])) if release else (0, 0)
    return Host(Arch.native(), capabilities, kernel)
