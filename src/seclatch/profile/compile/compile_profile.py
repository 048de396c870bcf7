"""Compile a resolved profile to the BPF program that a runtime makes of it.

Both runc and crun drive libseccomp, with rules of their own around it; runc then puts a stub in
front (see `enosys`). Sources: runc's libcontainer/seccomp, crun's src/libcrun/seccomp.c, and the
tests that compare with what live containers hold.
"""

from __future__ import annotations

import errno
import functools
import os
import signal
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from seclatch.errors import SeclatchError
from seclatch.model.action import Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Profile, format_comparisons, list_alternatives
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.profile.compile import enosys_stub
from seclatch.profile.compile.runtime_limits import Runtime, refuse_profile
from seclatch.system import libseccomp
from seclatch.system.bounded_child import SECONDS, OutOfBoundsError, run_bounded

_RETURN = 0x06  # BPF_RET | BPF_K
_BAD_ARCH = ActionKind.KILL_THREAD.value  # what libseccomp answers to calls of other ABIs

__all__ = ["CompiledProgram", "Runtime", "compile_profile"]


class UnendingError(SeclatchError):
    """libseccomp came to no end within its bounds."""


@dataclass(frozen=True, slots=True)
class CompiledProgram:
    """A BPF program and what to know about it.

    `libseccomp` is the version that made it: another may choose other instructions.
    `ignored` are names that this libseccomp does not know: runtimes drop them, runc silently.
    `alternatives` are further programs, of the same meaning, that the runtime may load instead:
    runc orders its stub by a Go map, whose order is random in each run. `complete`: they are all.
    """

    code: bytes
    arches: tuple[Arch, ...]
    libseccomp: str
    ignored: tuple[str, ...] = ()
    alternatives: tuple[bytes, ...] = ()
    complete: bool = True


def compile_profile(
    profile: Profile, *, runtime: Runtime, native: Arch | None = None
) -> CompiledProgram:
    """Compile for a host of architecture `native` (default: this machine's).

    Raises SeclatchError where the runtime would refuse the profile, with its reason.
    """
    native = native or Arch.native()
    refuse_profile(profile, runtime)
    arches = tuple(dict.fromkeys((native, *profile.architectures)))
    code, ignored = _build_bounded(profile, runtime, arches)
    if not native.little and sys.byteorder == "little":
        code = _mend(code, profile)
    version = libseccomp.format_version()
    if runtime is not Runtime.RUNC:
        return CompiledProgram(code, arches, version, ignored)
    first, *others = (stub + code for stub in enosys_stub.list_stubs(profile, arches))
    complete = enosys_stub.is_complete(profile, arches)
    return CompiledProgram(first, arches, version, ignored, tuple(others), complete)


def _mend(code: bytes, profile: Profile) -> bytes:
    """Undo libseccomp 2.6's double byte swap in big-endian programs.

    On a little-endian machine it swaps the bytes of some returns of a long big-endian program
    twice. On a big-endian machine, where a runtime would compile it, it swaps nothing; so what no
    rule answers is turned back.
    """
    right = {profile.default.ret, _BAD_ARCH, *(rule.effect.ret for rule in profile.rules)}
    layout = struct.Struct(">HBBI")
    lines = []
    for operation, jt, jf, k in layout.iter_unpack(code):
        turned = int.from_bytes(k.to_bytes(4, "big"), "little")
        wrong = operation == _RETURN and k not in right and turned in right
        lines.append(layout.pack(operation, jt, jf, turned if wrong else k))
    return b"".join(lines)


@functools.lru_cache(maxsize=64)
def _build_bounded(
    profile: Profile, runtime: Runtime, arches: tuple[Arch, ...]
) -> tuple[bytes, tuple[str, ...]]:
    """Build the program in a child with bounds of time and memory; the last ones are kept.

    Checks and comparisons compile one profile several times, and each takes a process.
    libseccomp 2.6.0 does not return from some conditions on one call (seccomp_rule_add(3)); a
    runtime would hang too.
    """

    def work() -> bytes:
        try:
            return msgspec.msgpack.encode(("", "", 0, *_build(profile, runtime, arches)))
        except SeclatchError as error:
            return msgspec.msgpack.encode((str(error), error.remedy, error.status, b"", ()))

    try:
        result = run_bounded(work)
    except OutOfBoundsError as error:
        name = signal.Signals(error.signal).name
        raise UnendingError(
            f"compiling the profile: libseccomp {libseccomp.format_version()} did not come to an "
            f"end within {SECONDS} s ({name}); nor would a runtime that uses it",
            remedy="simplify the conditions of the calls that have several rules, or use "
            "libseccomp 2.6.1 or later",
            status=2,
        ) from None
    message, remedy, status, code, ignored = msgspec.msgpack.decode(
        result, type=tuple[str, str, int, bytes, tuple[str, ...]]
    )
    if message:
        raise SeclatchError(message, remedy=remedy, status=status)
    return code, ignored


def _build(
    profile: Profile, runtime: Runtime, arches: tuple[Arch, ...]
) -> tuple[bytes, tuple[str, ...]]:
    with libseccomp.open_filter_context(profile.default) as building:
        _set_arches(building, arches)
        ignored = _add_rules(building, profile, runtime)
        return building.export(), ignored


def _set_arches(building: libseccomp.FilterContext, arches: Sequence[Arch]) -> None:
    """libseccomp starts with the machine's own ABI; for another host that one goes."""
    if arches[0] is not Arch.native():
        building.arch_remove(Arch.native())
    for arch in arches:
        status = building.arch_add(arch)
        if status < 0 and status != -errno.EEXIST:
            # EDOM: one program cannot serve ABIs of both byte orders (seccomp_arch_add(3)).
            doing = f"adding {arch.scmp} to a filter for {arches[0].scmp}"
            raise SeclatchError(f"{doing}: {os.strerror(-status)}", status=2)


def _add_rules(
    building: libseccomp.FilterContext, profile: Profile, runtime: Runtime
) -> tuple[str, ...]:
    """Add every rule as the runtimes do, and return the names that libseccomp does not know."""
    ignored: dict[str, None] = {}
    default = profile.default
    for rule in profile.rules:
        effect = rule.effect
        if effect == default:
            continue  # libseccomp refuses a rule that says what the default says
        for name in rule.names:
            number = libseccomp.resolve_syscall(name)
            if number == libseccomp.NR_ERROR:
                ignored[name] = None
                continue
            # crun reads the first six comparisons only.
            read = rule.args[:MAX_ARGS] if runtime is Runtime.CRUN else rule.args
            for args in list_alternatives(read):
                _add(building, name, number, effect, args)
    return tuple(ignored)


def _add(
    building: libseccomp.FilterContext,
    name: str,
    number: int,
    action: Action,
    args: tuple[Arg, ...],
) -> None:
    status = building.rule_add(action, number, args)
    if status < 0:
        condition = format_comparisons(args) or "any arguments"
        reason = os.strerror(-status)
        remedy = ""
        if status == -errno.EEXIST:
            reason = "another rule has the same condition and another action"
            remedy = "keep one of the two: no runtime starts a container with both"
        raise SeclatchError(
            f"compiling the rule {name} ({condition}) → {action}: {reason}",
            remedy=remedy,
            status=2,
        )
