"""runc's stub: ENOSYS for numbers above the highest that the profile names, on each ABI.

So that libc falls back from calls newer than the profile. runc 1.0.0-rc93 on, in front of any
filter whose default action is not ALLOW, LOG or TRACE. Source: runc libcontainer/seccomp/patchbpf.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence

from seclatch.model.action import ENOSYS, Action, ActionKind
from seclatch.model.arch import X32_BIT, Arch
from seclatch.model.profile.profile import Profile
from seclatch.system import libseccomp

# <linux/bpf_common.h>
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP = 0x05  # BPF_JMP | BPF_JA
_EQUAL, _GREATER, _SET = 0x15, 0x25, 0x45  # BPF_JMP | BPF_JEQ/JGT/JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data

_PERMISSIVE = (ActionKind.ALLOW, ActionKind.LOG, ActionKind.TRACE)

Instruction = tuple[int, int, int, int]
_DENY: Instruction = (_RETURN, 0, 0, Action(ActionKind.ERRNO, ENOSYS).ret)


MAX_ORDERED = 3
"""ABIs whose orders are all written out: the square of their factorial is the number of forms."""


def list_stubs(profile: Profile, arches: Sequence[Arch]) -> Iterator[bytes]:
    """Every form in which runc may write the stub: the order of ABIs in it is random in Go.

    The empty program where runc writes none; one form of many for more ABIs than MAX_ORDERED.
    """
    if profile.default.kind in _PERMISSIVE:
        yield b""
        return
    highest = _highest(profile, arches)
    layout = struct.Struct("<HBBI" if arches[0].little else ">HBBI")
    seen = set()
    ordered = itertools.permutations(highest)
    orders = list(ordered) if len(highest) <= MAX_ORDERED else [next(ordered)]
    for sections, jumps in itertools.product(orders, orders):
        code = b"".join(layout.pack(*line) for line in _stub(highest, sections, jumps))
        if code not in seen:
            seen.add(code)
            yield code


def is_complete(profile: Profile, arches: Sequence[Arch]) -> bool:
    """Return whether `stubs` gives every form."""
    few = len({arch.audit for arch in arches}) <= MAX_ORDERED
    return few or profile.default.kind in _PERMISSIVE


def _highest(profile: Profile, arches: Sequence[Arch]) -> dict[int, dict[Arch, int]]:
    """AUDIT_ARCH_* → ABI → the highest number named in any rule, those equal to default too."""
    names = {name for rule in profile.rules for name in rule.names}
    found: dict[int, dict[Arch, int]] = {}
    for arch in arches:
        last = max((libseccomp.resolve_syscall(name, arch) for name in names), default=0)
        of_audit = found.setdefault(arch.audit, {})
        if last > 0:
            of_audit[arch] = last
    return found


def _stub(
    highest: dict[int, dict[Arch, int]], sections: tuple[int, ...], jumps: tuple[int, ...]
) -> list[Instruction]:
    """Built from its end, where `jump over one` leads to the filter and ENOSYS lies before it."""
    tail: list[Instruction] = [(_JUMP, 0, 0, 1), _DENY]
    starts: dict[int, int] = {}  # audit value → where its section starts, counted from the end
    for audit in sections:
        if highest[audit]:
            tail = _section(highest[audit], len(tail)) + tail
            starts[audit] = len(tail)
    tail.insert(0, (_JUMP, 0, 0, len(tail)))
    for audit in jumps:
        distance = len(tail) - starts.get(audit, 0)
        if distance <= 255:
            tail.insert(0, (_EQUAL, distance, 0, audit))
        else:
            tail[:0] = [(_EQUAL, 0, 1, audit), (_JUMP, 0, 0, distance)]
    return [(_LOAD, 0, 0, _ARCH), *tail]


def _section(highest: dict[Arch, int], below: int) -> list[Instruction]:
    """One ABI's test; `below` instructions lie between it and the filter.

    (runc has a longer form for jumps above 255, which the at most 5 ABIs of a machine never need.)
    """
    load = (_LOAD, 0, 0, _NUMBER)
    to_filter = (_JUMP, 0, 0, below)
    if len(highest) == 2:  # x86-64 and x32 share their AUDIT_ARCH value
        native, x32 = highest[Arch.X86_64], highest[Arch.X32]
        return [
            load,
            (_SET, 1, 0, X32_BIT),
            (_GREATER, below + 1, 1, native),
            (_GREATER, below, 0, x32),
            to_filter,
        ]
    (arch, last), *_ = highest.items()
    lines = [load]
    if arch in (Arch.S390, Arch.S390X):
        # Call 0 there also carries numbers that do not fit the instruction's 8 bits.
        lines += [(_EQUAL, 0, 1, 0), _DENY]
    if arch is Arch.X86_64:
        lines.append((_SET, 1, 0, X32_BIT))
    if arch is Arch.X32:
        lines.append((_SET, 0, 1, X32_BIT))
    return [*lines, (_GREATER, below, 0, last), to_filter]
