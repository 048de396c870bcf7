"""Make a profile of recorded and scanned calls one that can be run in production.

Calls that a process cannot do without are added, then those that are harmless for a program that
makes related ones; the result is kept within what the container had, and what programs do without
is answered with ENOSYS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from seclatch.model.action import ENOSYS, Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.profile.profile_reasons import ReasonKind
from seclatch.model.syscall import load_syscalls
from seclatch.profile.curated.call_data import (
    CallFamily,
    load_always,
    load_dangerous,
    load_fallbacks,
    load_families,
    load_recent,
)
from seclatch.profile.generate.limits.limit_profile import LimitedProfile, limit_profile
from seclatch.profile.generate.limits.recorded_limit import RecordedLimit
from seclatch.profile.meaning import rule_meaning

_ALLOW = "SCMP_ACT_ALLOW"
_NO_SYSTEM_CALL = Action(ActionKind.ERRNO, ENOSYS)
_MAKES_PROCESSES = {"fork", "vfork", "clone3"}


@dataclass(frozen=True, slots=True)
class CompletionOptions:
    """Options of the completion.

    `exact`: without the harmless closure. `allow`: calls to allow though no run made them. `wider`:
    calls to allow though the limit denies them. `limits`: what the container had.
    `runtime`: calls that are allowed for a plain runtime alone, and open no family. `needs`:
    further calls without which this program cannot do, with the reason. `programs`: names of the
    executables that were recorded.
    """

    exact: bool = False
    allow: tuple[str, ...] = ()
    wider: tuple[str, ...] = ()
    limits: tuple[RecordedLimit, ...] = ()
    runtime: frozenset[str] = frozenset()
    needs: Mapping[str, str] = field(default_factory=dict)
    programs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AddedCall:
    """Why a call was added."""

    kind: ReasonKind
    reason: str


@dataclass(slots=True)
class CompletedProfile:
    """The profile, what its user should know, and the calls that a limit took away or we added."""

    profile: Profile
    warnings: list[str] = field(default_factory=list)
    removed: dict[str, str] = field(default_factory=dict)
    added: dict[str, AddedCall] = field(default_factory=dict)


def log_instead(profile: Profile) -> Profile:
    """Log what is not allowed instead of denying it, for a trial; calls that get ENOSYS keep it.

    Programs then use the calls that they will use under the enforced profile.
    """
    return replace(
        profile, default_action="SCMP_ACT_LOG", default_errno=None, default_errno_name=""
    )


def complete_profile(profile: Profile, options: CompletionOptions) -> CompletedProfile:
    """Complete a resolved profile; its first architecture is the native one."""
    native = profile.architectures[0] if profile.architectures else Arch.native()
    added: dict[str, AddedCall] = {}
    rules = (*profile.rules, *_further_rules(profile, native, options, added))
    done = CompletedProfile(replace(profile, rules=rules), added=added)
    for limit in options.limits:
        limited = limit_profile(done.profile, limit.profile, native, options.wider)
        done.profile = limited.profile
        for name in (*limited.removed, *limited.narrowed):
            done.removed.setdefault(name, limit.source)
        done.warnings += _about_limit(limited, limit)
    done.profile = _answer_enosys(done.profile, native, [each.profile for each in options.limits])
    return done


def _further_rules(
    profile: Profile, native: Arch, options: CompletionOptions, added: dict[str, AddedCall]
) -> Iterator[Rule]:
    """Yield rules for calls that the profile does not name yet, and note why each was added."""
    calls = load_syscalls(native)
    named = {name for rule in profile.rules for name in rule.names}
    allowed = {name for rule in profile.rules if rule.effect.kind.executes for name in rule.names}

    def rule(names: Iterable[str], kind: ReasonKind, comment: str) -> Iterator[Rule]:
        new = sorted({name for name in names if calls.has(name)} - named)
        named.update(new)
        allowed.update(new)
        added.update(dict.fromkeys(new, AddedCall(kind, comment)))
        if new:
            yield Rule(tuple(new), _ALLOW, comment=comment)

    yield from rule(options.allow, "option", "allowed by --allow")
    made = frozenset(allowed) - options.runtime
    always = {call.call: call.reason for call in load_always()}
    for name, reason in (always | dict(options.needs)).items():
        yield from rule([name], "always", f"always: {reason}")
    if allowed & _MAKES_PROCESSES:
        comment = "C libraries use it where clone3 and fork are not allowed"
        yield from rule(["clone"], "fallback", comment)
    if options.exact:
        return
    dangerous = load_dangerous()
    for family in load_families():
        because = _find_reason(family, made, options.programs)
        if because:
            adds = (name for name in family.adds if name not in dangerous)
            comment = f"{family.family}: {family.reason} ({because})"
            yield from rule(adds, "family", comment)


def _find_reason(family: CallFamily, made: frozenset[str], programs: frozenset[str]) -> str:
    """Say what makes a family's calls harmless here; "" if nothing does."""
    if used := sorted(made.intersection(family.uses)):
        return f"it makes {', '.join(used)}"
    if scripted := family.find_programs(programs):
        return f"it runs scripts by {', '.join(scripted)}"
    return ""


def _about_limit(limited: LimitedProfile, limit: RecordedLimit) -> Iterator[str]:
    if limited.removed:
        names = ", ".join(limited.removed)
        first = limited.removed[0]
        yield f"left out, since {limit.source} denies them: {names}; --wider {first} allows it"
    if limited.narrowed:
        names = ", ".join(limited.narrowed)
        yield f"arguments limited to those that {limit.source} allows: {names}"
    if limited.wider:
        yield f"wider than {limit.source}, by --wider: {', '.join(limited.wider)}"
    if limited.arches:
        names = ", ".join(arch.title for arch in limited.arches)
        yield f"left out, since {limit.source} has no rules for them: {names}"


def _answer_enosys(profile: Profile, native: Arch, limits: list[Profile]) -> Profile:
    """Answer ENOSYS to calls that programs do without, and to those that a limit answers so."""
    meaning = rule_meaning.read_meaning(profile, native)
    known = [rule_meaning.read_meaning(limit, native) for limit in limits]
    calls, fallbacks, recent = load_syscalls(native), load_fallbacks(), load_recent()
    named = {name for rule in profile.rules for name in rule.names}
    names = sorted(
        name
        for name, number in calls.numbers.items()
        if name not in named
        and name not in calls.newer
        and not meaning.may_execute(name)
        and (
            name in fallbacks
            or number - native.value.offset >= recent.number
            or any(each.outcomes(name) == {_NO_SYSTEM_CALL} for each in known)
        )
    )
    if not names or profile.default == _NO_SYSTEM_CALL:
        return profile
    comment = "programs do without these where the kernel has none, and end on any other error"
    rule = Rule(tuple(names), "SCMP_ACT_ERRNO", ENOSYS, comment=comment)
    return replace(profile, rules=(*profile.rules, rule))
