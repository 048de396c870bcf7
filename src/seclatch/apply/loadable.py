"""What seclatch-apply loads: a profile compiled for this process, or a compiled program."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from seclatch.errors import InputError, SeclatchError
from seclatch.model.action import ActionKind
from seclatch.model.arch import Arch
from seclatch.model.capability import name_capabilities
from seclatch.model.profile.profile import Profile
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Host, narrow_profile
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.profile.parse.profile_source import read_source
from seclatch.system.procfs import read_status_line

# SECCOMP_FILTER_FLAG_*, <linux/seccomp.h>. TSYNC concerns further threads, and a program that was
# just exec'd has none; WAIT_KILLABLE_RECV is for listeners.
FLAGS = {"SECCOMP_FILTER_FLAG_LOG": 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4}

MAX_INSTRUCTIONS = 4096
"""BPF_MAXINSNS, <linux/bpf_common.h>."""


@dataclass(frozen=True, slots=True)
class Loadable:
    """A BPF program (`struct sock_filter[]`, this machine's byte order), and seccomp(2)'s flags.

    `ignored` are names of the profile that libseccomp does not know.
    """

    code: bytes
    flags: int = 0
    ignored: tuple[str, ...] = ()


def read_loadable(path: Path) -> Loadable:
    """Read a profile, or a compiled program (recognised by its bytes). Raises InputError."""
    source = read_source(path)
    if not source.is_program:
        return compile_loadable(parse_profile(source.text(), source.name), source.name)
    if len(source.data) % 8 or len(source.data) > MAX_INSTRUCTIONS * 8:
        raise InputError(
            source.name,
            "",
            "no compiled filter: these have at most 4096 whole instructions of 8 bytes",
            remedy="make one with `seclatch profile compile --format bpf`",
        )
    return Loadable(source.data)


def compile_loadable(profile: Profile, source: str = "the profile") -> Loadable:
    """Compile a profile; conditions are resolved for this host and this process's capabilities.

    Raises InputError for actions that need a listener.
    """
    if not profile.default_action:
        raise InputError(source, "", "the empty profile stands for no seccomp at all")
    resolved = narrow_profile(profile, describe_process())
    effects = (resolved.default, *(rule.effect for rule in resolved.rules))
    if any(effect.kind is ActionKind.NOTIFY for effect in effects):
        raise InputError(
            source,
            "",
            "SCMP_ACT_NOTIFY: a program without a container runtime has no listener",
            remedy="use SCMP_ACT_ERRNO here, or a container runtime with a listener",
        )
    program = compile_profile(resolved, runtime=Runtime.LIBSECCOMP)
    if len(program.code) > MAX_INSTRUCTIONS * 8:
        raise InputError(
            source,
            "",
            f"{len(program.code) // 8} instructions: the kernel takes 4096 at most",
            remedy="name fewer architectures, or simplify the conditions",
        )
    flags = sum(FLAGS.get(name, 0) for name in profile.flags or ())
    return Loadable(program.code, flags, program.ignored)


def describe_process() -> Host:
    """Return this host, and the capabilities of this process."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    kernel = (int(release[1]), int(release[2])) if release else (0, 0)
    return Host(Arch.native(), _capabilities(), kernel)


def _capabilities() -> frozenset[str]:
    """Return CapEff of proc_pid_status(5)."""
    try:
        mask = read_status_line("self", b"CapEff")
    except OSError as error:
        raise SeclatchError(
            f"looking for this process' capabilities in /proc: {error.strerror}",
            remedy="mount /proc, or compile the profile elsewhere (seclatch profile compile)",
        ) from error
    return name_capabilities(int(mask or b"0", 16))
