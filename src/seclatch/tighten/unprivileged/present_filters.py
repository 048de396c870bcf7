"""Judge whether the present filters of processes allow what is injected to load another one.

Without root they stay in force meanwhile.

See docs/decisions/0149-tightening-without-root.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from seclatch.errors import SeclatchError
from seclatch.filter.query_filter import FilterQuery
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.process.running_bundle import find_running_bundle
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.tighten.further_filter import FurtherFilter, decode_program
from seclatch.tighten.process_facts import ProcessFacts
from seclatch.tighten.required_calls import OPEN, is_always_allowed

# What native/inject.c makes a process call, with the arguments that are always the same.
_BEFORE = (
    ("mmap", (None, None, 3, 0x21, None, 0)),
    ("mprotect", (None, None, 1)),
)
_NO_NEW_PRIVS = ("prctl", (38, 1, 0, 0, 0, 0))
_BY_SECCOMP = ("seccomp", (1, None, None))
_BY_PRCTL = ("prctl", (22, 2, None))
_AFTER = (("munmap", OPEN),)
_RESTART = ("restart_syscall", OPEN)
_NAMES_32BIT = {"mmap": "mmap2"}

_Call = tuple[str, tuple[int | None, ...]]


@dataclass(frozen=True, slots=True)
class NamedFilter:
    """A filter that is in force, under a name for messages."""

    name: str
    query: FilterQuery


@dataclass(frozen=True, slots=True)
class InjectionMethod:
    """How a filter can be loaded under the present ones.

    `by_prctl`: seccomp(2) is denied. `restarts`: a sleep can go on by restart_syscall(2).
    """

    by_prctl: bool
    restarts: bool


def read_configured_filters(pid: int) -> list[NamedFilter]:
    """Compile the profile in the configuration of a process's container; empty without one.

    As both runtimes read it, which may differ. Raises SeclatchError if neither takes it.
    """
    bundle = find_running_bundle(pid)
    if not bundle.seccomp:
        return []
    profile = parse_profile(json.dumps(bundle.seccomp), "config.json")
    if not profile.default_action:
        return []
    found, problem = [], ""
    for runtime in (Runtime.RUNC, Runtime.CRUN):
        try:
            code = compile_profile(profile, runtime=runtime).code
        except (SeclatchError, RuntimeError) as error:
            problem = str(error)
        else:
            found.append(make_named("the profile of its configuration", code))
    if not found:
        raise SeclatchError(f"compiling the profile of the container's configuration: {problem}")
    return found


def make_named(name: str, code: bytes) -> NamedFilter:
    """Prepare a program for queries."""
    return NamedFilter(name, FilterQuery(decode_program(code, name)))


def choose_method(
    present: Iterable[NamedFilter], further: FurtherFilter, facts: Iterable[ProcessFacts]
) -> InjectionMethod:
    """Return how the filter can be loaded. Raises SeclatchError where it cannot, with the calls."""
    filters, processes = list(present), list(facts)
    archs = {each.arch for each in processes}
    needed = [*_BEFORE, *_AFTER]
    if not all(each.no_new_privs for each in processes):
        needed.append(_NO_NEW_PRIVS)
    _require(_list_denials(filters, needed, archs))
    by_seccomp = list(_list_denials(filters, [_BY_SECCOMP], archs))
    by_prctl = list(_list_denials(filters, [_BY_PRCTL], archs)) if by_seccomp else []
    if by_seccomp and by_prctl:
        _require([*by_seccomp, *by_prctl])
    own = NamedFilter(further.name, FilterQuery(further.program))
    _require(_list_denials([own], _AFTER, archs))
    sleeps = not list(_list_denials([*filters, own], [_RESTART], archs))
    return InjectionMethod(bool(by_seccomp), sleeps)


def _list_denials(
    filters: Iterable[NamedFilter], calls: Iterable[_Call], archs: Iterable[Arch]
) -> Iterator[str]:
    calls, archs = list(calls), sorted(archs, key=str)
    for filter_ in filters:
        for arch in archs:
            numbers = load_syscalls(arch).numbers
            for name, args in calls:
                shown = _NAMES_32BIT.get(name, name) if arch.bits == 32 else name
                asked = AskedCall(Syscall(arch, numbers[shown], shown), _fill(args), shown)
                if not is_always_allowed(filter_.query.ask(asked)):
                    yield f"{filter_.name} denies {_describe(shown, args)}"


def _fill(args: tuple[int | None, ...]) -> tuple[int | None, ...]:
    return args + (None,) * (MAX_ARGS - len(args))


def _describe(name: str, args: tuple[int | None, ...]) -> str:
    purpose = {
        _NO_NEW_PRIVS: "prctl(PR_SET_NO_NEW_PRIVS)",
        _BY_PRCTL: "prctl(PR_SET_SECCOMP)",
        _BY_SECCOMP: "seccomp(SECCOMP_SET_MODE_FILTER)",
    }
    return purpose.get((name, args), name)


def _require(denials: Iterable[str]) -> None:
    found = list(dict.fromkeys(denials))
    if found:
        raise SeclatchError(
            "without root the processes load the filter under their present filters, and "
            f"{'; '.join(found)}; nothing was touched",
            remedy="run it as root on the host, which suspends the present filters meanwhile, or "
            "allow these calls in the profile and start the container anew",
        )
