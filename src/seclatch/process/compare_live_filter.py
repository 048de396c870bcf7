"""Compare a live filter with the profile that was meant."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.capability import name_capabilities
from seclatch.model.process import FilterCause, LiveProcess
from seclatch.model.profile.profile import Profile
from seclatch.process.live_filters import LiveFilter
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Engine, Host
from seclatch.profile.meaning.diff_profiles import ProfileDifference, compare_profiles
from seclatch.profile.parse.profile_source import ProfileSource
from seclatch.profile.profile_input import (
    ProfileInput,
    give_program,
    read_profile_input,
    require_action,
)
from seclatch.system.procfs import read_status


@dataclass(frozen=True, slots=True)
class FilterComparison:
    """The result of a comparison.

    `runtime` is the one that compiles the profile to exactly this filter, "" if none does; then
    `difference` is from what was meant to what is loaded. `only_errnos`: they differ only in
    errnoRet of rules, which crun ignores when it looks up a compiled filter in its cache (decision
    0071).
    """

    filter: LiveFilter
    runtime: str
    difference: ProfileDifference | None
    warnings: tuple[str, ...]
    only_errnos: bool = False

    @property
    def same(self) -> bool:
        """Return whether both mean the same."""
        return bool(self.runtime) or not self.difference


def compare_filters(
    filters: Sequence[LiveFilter],
    source: ProfileSource,
    runtimes: Sequence[Runtime],
    hosts: Sequence[Host],
) -> FilterComparison:
    """Compare with the first filter that the profile compiles to.

    If there is none, compare with the filter that the runtime has loaded, or the oldest. `hosts`:
    the readings of the profile's conditions, the likeliest first. Raises SeclatchError for a
    profile that cannot be read.
    """
    given = [require_action(read_profile_input(source, host)) for host in hosts]
    for meant, runtime in ((one, runtime) for one in given for runtime in runtimes):
        programs = list(_compile_programs(meant, runtime))
        for loaded in filters:
            if loaded.code in programs:
                return FilterComparison(loaded, runtime.value, None, ())
    chosen = _choose_likeliest(filters)
    live = give_program(ProfileSource(f"filter {chosen.number}", chosen.code), hosts[0])
    found = [
        compare_profiles(meant, live.profile, hosts[0].arch)
        for meant in _compile_readings(given[0], runtimes, hosts[0])
    ]
    nearest = min(found, key=lambda one: len(one.changes) + len(one.opened) + len(one.closed))
    crun = Runtime.CRUN in runtimes and not given[0].program
    stale = bool(nearest) and crun and _only_errnos(given[0].profile, live.profile, hosts[0].arch)
    return FilterComparison(chosen, "", nearest, live.warnings, stale)


def _only_errnos(meant: Profile, live: Profile, arch: Arch) -> bool:
    """Return whether two profiles differ only in the errnos of rules."""
    if meant.default != live.default:
        return False
    return not compare_profiles(_without_errnos(meant), _without_errnos(live), arch)


def _without_errnos(profile: Profile) -> Profile:
    """Return the profile with the same errno everywhere."""
    rules = tuple(replace(rule, errno=None) for rule in profile.rules)
    return replace(profile, rules=rules, default_errno=None)


def _compile_readings(
    given: ProfileInput, runtimes: Sequence[Runtime], host: Host
) -> list[Profile]:
    """Return what each runtime compiles, with its own additions (runc's ENOSYS).

    The profile itself if it is a program, or if no runtime accepts it.
    """
    found = [
        give_program(ProfileSource(given.name, code), host).profile
        for runtime in (() if given.program else runtimes)
        for code in islice(_compile_programs(given, runtime), 1)
    ]
    return found or [given.profile]


def _compile_programs(meant: ProfileInput, runtime: Runtime) -> Iterator[bytes]:
    if meant.program:
        yield meant.program.to_bytes()
        return
    try:
        program = compile_profile(meant.profile, runtime=runtime)
    except SeclatchError:
        return  # this runtime refuses the profile, so it cannot have loaded it
    yield program.code
    yield from program.alternatives


def _choose_likeliest(filters: Sequence[LiveFilter]) -> LiveFilter:
    by_runtime = [one for one in filters if one.layer.origin.cause is FilterCause.RUNTIME]
    return (by_runtime or list(filters))[-1]


def list_hosts(process: LiveProcess) -> list[Host]:
    """Return this host as the process's engine reads conditions; two readings if it is unknown.

    The capabilities are those of the process's bounding set.
    """
    status = read_status(process.pid)
    capabilities = name_capabilities(status.capabilities if status else 0)
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    kernel = (int(release[1]), int(release[2])) if release else (0, 0)
    engine = process.container.engine if process.container else ""
    podman = engine in ("podman", "cri-o")
    engines = [Engine.PODMAN, Engine.DOCKER] if podman else [Engine.DOCKER, Engine.PODMAN]
    return [Host(Arch.native(), capabilities, kernel, engine_rules) for engine_rules in engines]
