"""A profile from a recording: what was made is allowed, each rule with where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from seclatch.model import errno
from seclatch.model.action import ENOSYS, EPERM, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.recording.recording import Recording
from seclatch.model.stage import Stage
from seclatch.model.syscall import load_syscalls
from seclatch.profile.checks.old_and_new_calls import TWINS
from seclatch.profile.curated.call_data import load_fallbacks
from seclatch.profile.generate.arguments.narrow_arguments import recorded_values
from seclatch.profile.generate.arguments.scanned_arguments import ScannedArguments, narrow_with_scan
from seclatch.profile.generate.base_profile import BaseProfile
from seclatch.profile.generate.plain_runtime_calls import read_measured_calls

_ALLOW = "SCMP_ACT_ALLOW"
_ERRNO = "SCMP_ACT_ERRNO"

_BOUND = (Stage.INIT, Stage.FILTERED_INIT, Stage.HOOK, Stage.PROGRAM)

# Signals, stops and the C library's start, whichever version: none of them gives anything away.
_ALWAYS = ("exit", "exit_group", "restart_syscall", "rt_sigreturn", "rseq", "set_robust_list")

_RECENT = 424
"""pidfd_send_signal, Linux 5.1: from there on calls have one number on all architectures."""

_ENOUGH = 30
"""Starts after which a runtime of another version than the measured one counts as known."""


@dataclass(frozen=True, slots=True)
class GeneratorOptions:
    """Options of the generator.

    `first`: the stage from which on calls are allowed. `plain`: the runtime that runs it without
    the latch. `narrow`: compare arguments. `portable`: allow what other versions of a C library use
    for the same. `refuse_clone3`: with ENOSYS, so that libraries use clone, whose flags a filter
    can see. `no_stub`: leave runc no number to answer by itself.
    `base`: the profile to add to. `running`: of the running phase alone. `scanned`: what scanned
    programs pass, for `narrow`.
    """

    first: Stage = Stage.PROGRAM
    plain: str | None = None
    narrow: bool = False
    portable: bool = False
    refuse_clone3: bool = False
    no_stub: bool = False
    base: Profile | None = None
    running: bool = False
    scanned: ScannedArguments | None = None


@dataclass(frozen=True, slots=True)
class GeneratedProfile:
    """The profile, what its user should know, a sentence each, and the calls that were recorded."""

    profile: Profile
    warnings: tuple[str, ...]
    recorded: frozenset[str]


def generate_profile(recording: Recording, options: GeneratorOptions) -> GeneratedProfile:
    """Make the profile. Raises ValueError when the recording has nothing for it."""
    maker = _Maker(recording, options)
    return GeneratedProfile(maker.profile(), tuple(maker.warnings()), maker.recorded)


def list_stages(first: Stage) -> set[str]:
    """Return the stages of a container's processes from `first` on."""
    order = list(Stage)
    return {each.value for each in _BOUND if order.index(each) >= order.index(first)}


class _Maker:
    def __init__(self, recording: Recording, options: GeneratorOptions) -> None:
        self._recording = recording
        self._options = options
        self._stages = list_stages(options.first)
        self._names = self._made(self._stages)
        if not self._names:
            phase = " after the ready mark" if options.running else ""
            raise ValueError(f"no call of stage {options.first.value}{phase} in it")
        self._values = recorded_values(recording.arguments, self._stages)
        self._base = self._read_base(options.base) if options.base else None

    def _read_base(self, profile: Profile) -> BaseProfile:
        kernel = re.match(r"(\d+)\.(\d+)", self._recording.hosts[0].kernel)
        version = (int(kernel[1]), int(kernel[2])) if kernel else (0, 0)
        return BaseProfile(profile, self._arches()[0], version)

    @property
    def recorded(self) -> frozenset[str]:
        """The names of the calls that were made in the stages asked for."""
        return frozenset(self._names)

    def profile(self) -> Profile:
        """Put the rules together: those of the base, the program's, its twins', the runtime's."""
        rules = tuple(self._rules())
        if self._base is None:
            return self._finish(Profile(_ERRNO, rules, self._arches(), default_errno=EPERM))
        base = self._base.profile
        arches = base.architectures
        if arches:
            arches = tuple(dict.fromkeys([*arches, *self._arches()]))
        return self._finish(replace(base, rules=(*base.rules, *rules), architectures=arches))

    def _finish(self, profile: Profile) -> Profile:
        if not self._options.no_stub or profile.default.kind in (
            ActionKind.ALLOW,
            ActionKind.LOG,
            ActionKind.TRACE,
        ):
            return profile
        named = {name for rule in profile.rules for name in rule.names}
        recent = {name for arch in self._arches() for name in _recent_names(arch)}
        # Without clone3, which gets ENOSYS: on any other error pthread_create fails (glibc 2.34).
        rule = Rule(
            tuple(sorted(recent - named - {"clone3"})),
            profile.default_action,
            profile.default_errno,
            errno_name=profile.default_errno_name,
            comment="the default action, by name: runc answers ENOSYS to whatever is newer than "
            "the newest call that a profile names",
        )
        return replace(profile, rules=(*profile.rules, rule))

    def warnings(self) -> Iterable[str]:
        """Tell what the profile does not say by itself."""
        denied = {
            f"{each.name or each.number} "
            f"({errno.name_errno(each.errno) if each.errno else 'no errno'})"
            for each in self._recording.denials
            if each.stage in self._stages
            and not (each.errno == ENOSYS and each.name in load_fallbacks())
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
        if self._options.plain:
            yield from self._about_version(self._options.plain)
        yield from self._about_base()

    def _about_version(self, runtime: str) -> Iterator[str]:
        """Versions differ: what one needs was measured of another."""
        known = read_measured_calls(runtime).version
        versions = {each.version for each in self._recording.software if each.name == runtime}
        if (others := versions - {known, ""}) and self._recording.runs < _ENOUGH:
            yield (
                f"what {runtime} needs was measured with {known}, and this is "
                f"{', '.join(sorted(others))}: give {_ENOUGH} recordings of starts or more, "
                "since some of a runtime's calls come and go"
            )

    def _about_base(self) -> Iterator[str]:
        if self._base is None:
            return
        if refused := sorted(name for name in self._names if self._base.refuses(name)):
            yield f"refused by a rule of the base, and left so: {', '.join(refused)}"
        whole = {name for rule in self._rules() if not rule.args for name in rule.names}
        if widened := sorted(name for name in whole if self._base.narrows(name)):
            yield (
                f"the base allows {', '.join(widened)} for some arguments only, and others were "
                "recorded: now allowed for all (with --args for those recorded)"
            )

    def _made(self, stages: set[str]) -> set[str]:
        return {each.name for each in self._recording.calls if each.stage in stages} - {""}

    def _arches(self) -> tuple[Arch, ...]:
        """Return the native ABI first; others only if they were used."""
        native = [Arch.parse(host.arch) for host in self._recording.hosts]
        used = {
            Arch.parse(each.arch) for each in self._recording.calls if each.stage in self._stages
        }
        further = sorted(used - set(native), key=lambda arch: arch.name)
        return tuple(dict.fromkeys([*native, *further]))

    def _missing(self, names: set[str]) -> set[str]:
        """Those that the base does not have already, nor refuses on purpose."""
        if self._base is None:
            return names
        base = self._base
        return {each for each in names if not base.has(each, self._values)} - {
            each for each in names if base.refuses(each)
        }

    def _rules(self) -> Iterator[Rule]:
        names = set(self._names)
        if self._options.refuse_clone3:
            names = (names - {"clone3"}) | ({"clone"} if "clone3" in names else set())
            if self._base is None or not self._base.refuses("clone3"):
                comment = "C libraries then use clone instead"
                yield Rule(("clone3",), _ERRNO, ENOSYS, comment=comment)
        runtime = self._runtime_needs(self._options.plain) if self._options.plain else set()
        narrowed: list[Rule] = []
        if self._options.narrow:
            narrowed = narrow_with_scan(
                self._missing(names - runtime), self._values, self._options.scanned
            )
        whole = self._missing(names) - {rule.names[0] for rule in narrowed}
        if whole:
            yield Rule(tuple(sorted(whole)), _ALLOW, comment=self._provenance())
        yield from narrowed
        twins = self._missing(self._twins(names) - names) if self._options.portable else set()
        if twins:
            comment = "the same by other versions of the C library or on other architectures"
            yield Rule(tuple(sorted(twins)), _ALLOW, comment=comment)
        if added := self._missing(runtime - names) - twins:
            yield Rule(tuple(sorted(added)), _ALLOW, comment=self._about_needs())

    def _about_needs(self) -> str:
        runtime = self._options.plain or ""
        known = read_measured_calls(runtime)
        return (
            f"needed by {runtime} itself between loading the filter and the program's exec, in "
            f"{known.starts} starts of {known.version} and in what was recorded; the latch needs "
            "none of these"
        )

    def _provenance(self) -> str:
        recording = self._recording
        commands = ", ".join(" ".join(words)[:200] for words in recording.commands[:3])
        more = len(recording.commands) - 3
        kernels = ", ".join(sorted({host.kernel for host in recording.hosts}))
        images = ", ".join(f"{each.name} {each.digest or each.id}" for each in recording.images)
        return (
            f"made by {', '.join(sorted(self._stages))}{self._about_phase()} in "
            f"{recording.runs} recording(s), "
            f"first {recording.started}, Linux {kernels}: {commands}"
            + (f" and {more} more" if more > 0 else "")
            + (f"; images: {images[:500]}" if images else "")
        )

    def _about_phase(self) -> str:
        ready = self._recording.ready if self._options.running else None
        return f" once ready ({ready.condition[:200]})" if ready else ""

    def _twins(self, names: set[str]) -> set[str]:
        families = [family for family in TWINS if names & set(family)]
        twins = {twin for family in families for twin in family} | set(_ALWAYS)
        if names & {"fork", "vfork", "clone", "clone3"}:
            twins |= {"clone", "clone3"}
        return twins - ({"clone3"} if self._options.refuse_clone3 else set())

    def _runtime_needs(self, runtime: str) -> set[str]:
        """Return the calls of the runtime under its own filter: recorded here, and measured before.

        One start does not show all: some calls of runc (futex, rt_sigreturn) come and go.
        """
        needs = {name for name in read_measured_calls(runtime).calls if self._known(name)}
        if runtime not in self._recording.runtimes:
            return needs
        return needs | self._made({Stage.FILTERED_INIT.value})

    def _known(self, name: str) -> bool:
        return any(load_syscalls(arch).has(name) for arch in self._arches())


def _recent_names(arch: Arch) -> Iterator[str]:
    """Those that libseccomp knows: runtimes warn of others, and count none of them."""
    calls = load_syscalls(arch)
    for name, number in calls.numbers.items():
        if number - arch.value.offset >= _RECENT and name not in calls.newer:
            yield name
