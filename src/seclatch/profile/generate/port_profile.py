"""Carry a profile over to another architecture: by what its C library calls there, not by name.

Old calls (open, stat, fork, dup2 …) exist on x86 alone; elsewhere C libraries use openat,
newfstatat, clone, dup3. A condition moves with the argument it is about. What cannot be said there
is left out and told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import msgspec

from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Condition, Profile, Rule, list_alternatives
from seclatch.model.syscall import load_syscalls
from seclatch.profile.meaning.rule_comparison import matches_value

TARGETS = (Arch.X86_64, Arch.AARCH64, Arch.RISCV64)
"""The architectures whose C library's choices are known here."""

_ALLOW = "SCMP_ACT_ALLOW"

# What a program needs there without its author's doing, and no source of x86 shows. glibc's loader
# maps libraries at multiples of their alignment, 64 KiB on arm64, and unmaps what was too much.
_STARTUP = {
    Arch.X86_64: (("arch_prctl", "a C library sets the thread pointer with it"),),
    Arch.AARCH64: (
        ("uname", "static glibc asks for the kernel's version on CPUs with SVE"),
        ("munmap", "glibc's loader aligns libraries to 64 KiB and unmaps the rest"),
    ),
    Arch.RISCV64: (("riscv_hwprobe", "glibc asks for the CPU's extensions"),),
}

# clone(flags, stack, parent_tid, child_tid, tls) on x86-64; tls comes fourth where the kernel is
# built with CONFIG_CLONE_BACKWARDS.
_BACKWARDS = frozenset({Arch.AARCH64, Arch.RISCV64})
_CLONE = {3: 4, 4: 3}

# fork and vfork make no namespace: neither may what stands for them. Without CLONE_NEWTIME, which
# for clone(2) is within the signal at the end.
_NO_NAMESPACES = (Arg(0, Operator.MASKED_EQ, 0x7E020000, 0),)
_FLAGS = {"fork": 0x11, "vfork": 0x4111}  # SIGCHLD; and CLONE_VFORK, CLONE_VM


@dataclass(frozen=True, slots=True)
class PortedCall:
    """One thing that differs: `kind` is replaced, added, moved, dropped or left-out.

    `rule` is the rule's index in the source profile, None for what no rule asked for.
    """

    kind: str
    name: str
    by: tuple[str, ...]
    rule: int | None
    why: str

    def __str__(self) -> str:
        """One sentence."""
        instead = f" → {', '.join(self.by)}" if self.by else ""
        return f"{self.kind}: {self.name}{instead}: {self.why}"


@dataclass(frozen=True, slots=True)
class PortedProfile:
    """The profile for the other architecture, and what was changed for it, in rules' order."""

    profile: Profile
    changes: tuple[PortedCall, ...]


class _File(msgspec.Struct, frozen=True):
    comment: str
    replacements: list[tuple[str, str, list[int | None]]]


@dataclass(frozen=True, slots=True)
class _Way:
    """How a call is made by another: `places[i]` is where argument i is in the other one."""

    name: str
    places: dict[int, int]


@cache
def _ways() -> tuple[dict[str, list[_Way]], dict[str, list[_Way]]]:
    """From the old to the new, and back."""
    path = resources.files("seclatch.data").joinpath("porting.json")
    newer: dict[str, list[_Way]] = {}
    older: dict[str, list[_Way]] = {}
    for old, new, moved in msgspec.json.decode(path.read_bytes(), type=_File).replacements:
        places = {index: place for index, place in enumerate(moved) if place is not None}
        newer.setdefault(old, []).append(_Way(new, places))
        back = {place: index for index, place in places.items()}
        older.setdefault(new, []).append(_Way(old, back))
    return newer, older


def port_profile(profile: Profile, source: Arch, target: Arch) -> PortedProfile:
    """Port a resolved profile (no conditions). Raises ValueError for one that is not."""
    if profile.conditional:
        raise ValueError("its rules depend on engine and host: resolve it for one host first")
    porter = _Porter(source, target, keep=_compat(profile, source, target))
    rules = [new for index, rule in enumerate(profile.rules) for new in porter.rule(index, rule)]
    rules += porter.startup(profile)
    architectures = (target, *porter.keep) if profile.architectures else ()
    return PortedProfile(
        replace(profile, rules=tuple(rules), architectures=architectures), tuple(porter.changes)
    )


def combine_architectures(profile: Profile, source: Arch, target: Arch) -> PortedProfile:
    """Combine both profiles in one.

    The target's own rules are in force there alone, and archMap says which ABIs each has. For
    engines, which resolve such conditions.
    """
    ported = port_profile(profile, source, target)
    known = set(profile.rules)
    only = Condition(arches=(target.goarch,))
    own = (replace(rule, includes=only) for rule in ported.profile.rules if rule not in known)
    arch_map = (
        (source, tuple(each for each in profile.architectures if each is not source)),
        (target, ported.profile.architectures[1:]),
    )
    rules = (*profile.rules, *own)
    both = replace(profile, rules=rules, architectures=(), arch_map=arch_map)
    return PortedProfile(both, ported.changes)


def _compat(profile: Profile, source: Arch, target: Arch) -> tuple[Arch, ...]:
    """Return the target's 32-bit ABI, if the source's was in the profile."""
    wanted = any(arch in source.compat and arch is not Arch.X32 for arch in profile.architectures)
    return target.compat[:1] if wanted else ()


class _Porter:
    def __init__(self, source: Arch, target: Arch, keep: tuple[Arch, ...]) -> None:
        self.source, self.target, self.keep = source, target, keep
        self.changes: list[PortedCall] = []

    def rule(self, index: int, rule: Rule) -> Iterator[Rule]:
        """Return the rule there: one for each way in which its conditions have moved."""
        by_args: dict[tuple[Arg, ...], list[str]] = {}
        for name in rule.names:
            for new, args in self._name(index, name, rule):
                names = by_args.setdefault(args, [])
                if new not in names:
                    names.append(new)
        for args, names in by_args.items():
            changed = [each for each in names if each not in rule.names]
            yield replace(rule, names=tuple(names), args=args, comment=self._comment(rule, changed))

    def startup(self, profile: Profile) -> Iterator[Rule]:
        """Return what programs need from their start, for a profile that denies by default."""
        if profile.default.kind.executes:
            return
        named = {name for rule in profile.rules if rule.effect.kind.executes for name in rule.names}
        for name, why in _STARTUP[self.target]:
            if name == "munmap" and "mmap" not in named:
                continue  # nothing is loaded there
            if named and name not in named and load_syscalls(self.target).has(name):
                self._tell("added", name, (), None, why)
                yield Rule((name,), _ALLOW, comment=why)

    def _name(self, index: int, name: str, rule: Rule) -> Iterator[tuple[str, tuple[Arg, ...]]]:
        newer, older = _ways()
        here, there = load_syscalls(self.source), load_syscalls(self.target)
        if there.has(name) or any(load_syscalls(arch).has(name) for arch in self.keep):
            yield name, self._reordered(index, name, rule.args)
        if there.has(name):
            # the target's library may use an older call, which the source does not have
            ways = [way for way in older.get(name, ()) if there.has(way.name)]
            ways = [way for way in ways if not here.has(way.name)]
            kind, why = "added", f"C libraries on {self.target.title} use it for the same"
        else:
            ways = _present(name, newer, self.target)
            kind, why = "replaced", f"does not exist on {self.target.title}, where libraries use it"
            if not ways:
                why = f"does not exist on {self.target.title}, and nothing does the same"
                self._tell("dropped", name, (), index, why)
        for way in ways:
            moved, told = _carry(name, way, rule)
            if moved is None:
                lacks = "the rule compares an argument that the other call does not have"
                self._tell("left-out", name, (way.name,), index, lacks)
                continue
            self._tell(kind, name, (way.name,), index, why + told)
            yield way.name, moved

    def _reordered(self, index: int, name: str, args: tuple[Arg, ...]) -> tuple[Arg, ...]:
        differs = (self.source in _BACKWARDS) != (self.target in _BACKWARDS)
        if name != "clone" or not differs or not any(arg.index in _CLONE for arg in args):
            return args
        moved = tuple(replace(arg, index=_CLONE.get(arg.index, arg.index)) for arg in args)
        self._tell("moved", name, (), index, "its last two arguments are the other way round there")
        return moved

    def _comment(self, rule: Rule, changed: Sequence[str]) -> str:
        if not changed:
            return rule.comment
        told = f"{', '.join(changed)}: for {self.target.title}"
        return f"{rule.comment}; {told}" if rule.comment else told

    def _tell(self, kind: str, name: str, by: tuple[str, ...], rule: int | None, why: str) -> None:
        self.changes.append(PortedCall(kind, name, by, rule, why))


def _present(name: str, newer: dict[str, list[_Way]], target: Arch) -> list[_Way]:
    """Return the first calls on the way to newer ones that the target has."""
    found: list[_Way] = []
    for way in newer.get(name, ()):
        if load_syscalls(target).has(way.name):
            found.append(way)
            continue
        for further in _present(way.name, newer, target):
            places = {
                index: further.places[place]
                for index, place in way.places.items()
                if place in further.places
            }
            found.append(_Way(further.name, places))
    return found


def _moved(args: Iterable[Arg], places: dict[int, int]) -> tuple[Arg, ...] | None:
    """Return the conditions at their new indexes; None if one has none."""
    listed = list(args)
    if any(arg.index not in places for arg in listed):
        return None
    return tuple(replace(arg, index=places[arg.index]) for arg in listed)


def _carry(name: str, way: _Way, rule: Rule) -> tuple[tuple[Arg, ...] | None, str]:
    """Return a rule's conditions for the other call, None if it cannot say them, and a remark."""
    if way.name == "clone" and rule.effect.kind.executes:
        return _NO_NAMESPACES, "; without new namespaces"
    if name == "clone" and _applies_to_fork(rule.args, way.name):
        return (), ""
    moved = _moved(rule.args, way.places)
    return moved, _told(rule.args, moved) if moved is not None else ""


def _applies_to_fork(args: tuple[Arg, ...], name: str) -> bool:
    """Return whether conditions of clone hold for the flags of fork or vfork."""
    return any(
        all(arg.index == 0 and matches_value(arg, _FLAGS[name]) for arg in alternative)
        for alternative in list_alternatives(args)
    )


def _told(before: Sequence[Arg], after: Sequence[Arg]) -> str:
    """Which conditions stand at another argument now."""
    moves = [
        f"argument {old.index} is argument {new.index} there"
        for old, new in zip(before, after, strict=True)
        if old.index != new.index
    ]
    return "; " + ", ".join(dict.fromkeys(moves)) if moves else ""
