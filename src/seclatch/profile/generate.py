"""A profile from a recording: what was made is allowed, each rule with where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seclatch.model import errno
from seclatch.model.action import ENOSYS, EPERM, Operator
from seclatch.model.arch import Arch
from seclatch.model.profile import Arg, Profile, Rule
from seclatch.model.recording import Recording
from seclatch.model.stage import Stage
from seclatch.model.syscall import table
from seclatch.profile.checks.runtime_needs import NEEDS
from seclatch.profile.checks.twins import TWINS

_ALLOW = "SCMP_ACT_ALLOW"
_ERRNO = "SCMP_ACT_ERRNO"
_LOG = "SCMP_ACT_LOG"

_BOUND = (Stage.INIT, Stage.FILTERED_INIT, Stage.HOOK, Stage.PROGRAM)

# Signals, stops and the C library's start, whichever version: none of them gives anything away.
_ALWAYS = ("exit", "exit_group", "restart_syscall", "rt_sigreturn", "rseq", "set_robust_list")

# The one argument by which `--args` tells uses of a call apart. All are ints to the kernel: the
# upper half of the register means nothing and may hold anything, so it is masked off.
_SELECTORS = {
    "socket": 0,
    "socketpair": 0,
    "clone": 0,
    "unshare": 0,
    "setns": 1,
    "prctl": 0,
    "ioctl": 1,
    "personality": 0,
    "keyctl": 0,
    "bpf": 0,
    "ptrace": 0,
    "seccomp": 0,
    "fcntl": 1,
}
_INT = 0xFFFFFFFF
MAX_VALUES = 64
"""A call with more distinct values than that is allowed as a whole."""

_PROT_EXEC = 4
_MAPPERS = {"mmap": 2, "mprotect": 2, "pkey_mprotect": 2}


@dataclass(frozen=True, slots=True)
class Options:
    """`first`: the stage from which on calls are allowed. `plain`: the runtime that runs it
    without the latch. `narrow`: compare arguments. `portable`: allow what other versions of a C
    library use for the same. `refuse_clone3`: with ENOSYS, so that libraries use clone, whose
    flags a filter can see. `audit`: log instead of deny."""

    first: Stage = Stage.PROGRAM
    plain: str | None = None
    narrow: bool = False
    portable: bool = False
    refuse_clone3: bool = False
    audit: bool = False


@dataclass(frozen=True, slots=True)
class Generated:
    """The profile, and what its user should know, a sentence each."""

    profile: Profile
    warnings: tuple[str, ...]


def generate(recording: Recording, options: Options) -> Generated:
    """Make the profile. Raises ValueError when the recording has nothing for it."""
    maker = _Maker(recording, options)
    return Generated(maker.profile(), tuple(maker.warnings()))


class _Maker:
    def __init__(self, recording: Recording, options: Options) -> None:
        self._recording = recording
        self._options = options
        order = list(Stage)
        first = order.index(options.first)
        self._stages = {each.value for each in _BOUND if order.index(each) >= first}
        self._names = self._made(self._stages)
        if not self._names:
            raise ValueError(f"no call of stage {options.first.value} in it")

    def profile(self) -> Profile:
        """Put the rules together: the program's, its twins', the runtime's."""
        rules = self._rules()
        return Profile(
            default_action=_LOG if self._options.audit else _ERRNO,
            default_errno=None if self._options.audit else EPERM,
            architectures=self._arches(),
            rules=tuple(rules),
        )

    def warnings(self) -> Iterable[str]:
        """Tell what the profile does not say by itself."""
        denied = {
            f"{each.name or each.number} ({errno.name(each.errno) if each.errno else 'no errno'})"
            for each in self._recording.denials
            if each.stage in self._stages
        }
        if denied:
            yield (
                "denied while recording, and so not allowed: " + ", ".join(sorted(denied)) + "; "
                "record without a profile if the program should have them"
            )
        unnamed = {each.number for each in self._recording.calls if not each.name}
        if unnamed:
            numbers = ", ".join(str(number) for number in sorted(unnamed))
            yield f"without a name, and so not to be allowed in a profile: number {numbers}"
        if not self._recording.complete:
            yield "a recording is not complete: its recorder was interrupted"
        if self._recording.lost.events or self._recording.lost.calls:
            yield "the recording is not whole (see `seclatch show`): the profile may be too strict"

    def _made(self, stages: set[str]) -> set[str]:
        return {each.name for each in self._recording.calls if each.stage in stages} - {""}

    def _arches(self) -> tuple[Arch, ...]:
        """The native ABI first; others only if they were used."""
        native = [Arch.parse(host.arch) for host in self._recording.hosts]
        used = {Arch.parse(each.arch) for each in self._recording.calls
                if each.stage in self._stages}  # fmt: skip
        further = sorted(used - set(native), key=lambda arch: arch.name)
        return tuple(dict.fromkeys([*native, *further]))

    def _rules(self) -> list[Rule]:
        names = set(self._names)
        rules: list[Rule] = []
        if self._options.refuse_clone3:
            names = (names - {"clone3"}) | ({"clone"} if "clone3" in names else set())
            rules.append(
                Rule(("clone3",), _ERRNO, ENOSYS, comment="C libraries then use clone instead")
            )
        runtime = self._runtime_needs(self._options.plain) if self._options.plain else set()
        narrowed = self._narrowed(names - runtime) if self._options.narrow else []
        whole = names - {rule.names[0] for rule in narrowed}
        rules.append(Rule(tuple(sorted(whole)), _ALLOW, comment=self._provenance()))
        rules += narrowed
        twins = self._twins(names) - names if self._options.portable else set()
        if twins:
            comment = "the same by other versions of the C library or on other architectures"
            rules.append(Rule(tuple(sorted(twins)), _ALLOW, comment=comment))
        if added := runtime - names - twins:
            comment = (
                f"needed by {self._options.plain} itself between loading the filter and the "
                "program's exec; the latch needs none of these"
            )
            rules.append(Rule(tuple(sorted(added)), _ALLOW, comment=comment))
        return rules

    def _provenance(self) -> str:
        recording = self._recording
        commands = ", ".join(" ".join(words)[:200] for words in recording.commands[:3])
        more = len(recording.commands) - 3
        kernels = ", ".join(sorted({host.kernel for host in recording.hosts}))
        return (
            f"made by {', '.join(sorted(self._stages))} in {recording.runs} recording(s), "
            f"first {recording.started}, Linux {kernels}: {commands}"
            + (f" and {more} more" if more > 0 else "")
        )

    def _narrowed(self, names: set[str]) -> list[Rule]:
        """A rule a value: several conditions on one argument are ORed by runc, ANDed by crun."""
        values: dict[tuple[str, int], set[int]] = {}
        for each in self._recording.arguments:
            if each.stage in self._stages:
                values.setdefault((each.name, each.index), set()).add(each.value & _INT)
        rules: list[Rule] = []
        for name in sorted(names):
            if name in _SELECTORS:
                seen = values.get((name, _SELECTORS[name]), set())
                rules += _one_each(name, _SELECTORS[name], seen)
            elif name in _MAPPERS:
                rules += _without_exec(name, values.get((name, _MAPPERS[name]), set()))
        return rules

    def _twins(self, names: set[str]) -> set[str]:
        families = [family for family in TWINS if names & set(family)]
        twins = {twin for family in families for twin in family} | set(_ALWAYS)
        if names & {"fork", "vfork", "clone", "clone3"}:
            twins |= {"clone", "clone3"}
        return twins - ({"clone3"} if self._options.refuse_clone3 else set())

    def _runtime_needs(self, runtime: str) -> set[str]:
        """What the runtime makes under its own filter: here, and in many starts measured before.

        One start does not show all: some calls of runc's (futex, rt_sigreturn) come and go.
        """
        measured = {name for name in NEEDS[runtime] if self._known(name)}
        if runtime not in self._recording.runtimes:
            return measured
        return measured | self._made({Stage.FILTERED_INIT.value})

    def _known(self, name: str) -> bool:
        return any(table(arch).has(name) for arch in self._arches())


def _one_each(name: str, index: int, values: set[int]) -> list[Rule]:
    if not 0 < len(values) <= MAX_VALUES:
        return []
    return [
        Rule(
            (name,),
            _ALLOW,
            args=(Arg(index, Operator.MASKED_EQ, _INT, value),),
            comment=f"only with the values that were recorded: argument {index} {value:#x}",
        )
        for value in sorted(values)
    ]


def _without_exec(name: str, protections: set[int]) -> list[Rule]:
    """Nothing executable, if nothing executable was ever mapped."""
    if not protections or any(value & _PROT_EXEC for value in protections):
        return []
    comment = "no executable memory was ever asked for"
    return [
        Rule((name,), _ALLOW, args=(Arg(2, Operator.MASKED_EQ, _PROT_EXEC, 0),), comment=comment)
    ]
