"""Recognize the profile that a program was compiled from, by compiling and comparing all bytes.

A runtime that is linked with another libseccomp may generate other instructions; its programs then
have no name (decision 0025).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile
from seclatch.process.containers.known_container import KnownContainer
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.parse.load_profile import load_profile, parse_profile
from seclatch.profile.parse.profile_source import read_source

PODMAN_DEFAULT = "podman-default"
CONFIGURED = "as configured"

# containers-common: the administrator's file takes precedence over the distribution's.
_CONTAINERS_COMMON = (
    Path("/etc/containers/seccomp.json"),
    Path("/usr/share/containers/seccomp.json"),
)
_RUNTIMES = (Runtime.RUNC, Runtime.CRUN)
_MAX_CAPABILITY_SETS = 8
SECONDS = 5.0
"""Time limit for compiling: the containers' configurations are untrusted input."""


@dataclass(frozen=True, slots=True)
class ProfileCandidate:
    """A profile under a name, or a program (`code`). Without `hosts` it is resolved already."""

    name: str
    profile: Profile | None
    hosts: tuple[Host, ...] = ()
    code: bytes = b""


@dataclass(frozen=True, slots=True)
class CompiledCandidate:
    """A program of a candidate; `profile` is the resolved one, None for a given program."""

    name: str
    code: bytes
    profile: Profile | None = None
    runtime: Runtime | None = None


def recognize_programs(
    codes: Set[bytes], candidates: Iterable[ProfileCandidate], notes: list[str]
) -> dict[bytes, str]:
    """Name the programs that a candidate compiles to; the first candidate wins."""
    names: dict[bytes, str] = {}
    if not codes:
        return names
    deadline = time.monotonic() + SECONDS
    for compiled in compile_candidates(candidates):
        if compiled.code in codes:
            names.setdefault(compiled.code, compiled.name)
        if codes <= names.keys():
            break
        if time.monotonic() > deadline:
            notes.append(f"compiling known profiles took over {SECONDS:.0f} s: not all were")
            break
    return names


def compile_candidates(candidates: Iterable[ProfileCandidate]) -> Iterator[CompiledCandidate]:
    """Yield every program with its candidate's name; repeated profiles are left out."""
    compiled: set[Profile] = set()
    for candidate in candidates:
        if candidate.profile is None:
            yield CompiledCandidate(candidate.name, candidate.code)
        for profile in _resolve(candidate):
            if profile not in compiled:
                compiled.add(profile)
                yield from _compile_programs(candidate.name, profile)


def read_files(files: Iterable[Path]) -> list[ProfileCandidate]:
    """Read profiles and raw programs. Raises SeclatchError for one that cannot be read."""
    found = []
    for file in files:
        source = read_source(file)
        if source.is_program:
            found.append(ProfileCandidate(source.name, None, code=source.data))
        else:
            found.append(ProfileCandidate(source.name, parse_profile(source.text(), source.name)))
    return found


def list_candidates(
    files: Iterable[ProfileCandidate],
    known: Iterable[KnownContainer],
    capabilities: Iterable[frozenset[str]],
) -> Iterator[ProfileCandidate]:
    """Yield given files first, then engines' profiles, then containers' own configurations."""
    sets = list(dict.fromkeys(capabilities))[:_MAX_CAPABILITY_SETS] or [frozenset()]
    for file in files:
        yield replace(file, hosts=_list_hosts(sets, tuple(Engine)))
    common = next((path for path in _CONTAINERS_COMMON if path.is_file()), None)
    if common is not None:
        yield from _read_candidate(PODMAN_DEFAULT, common, _list_hosts(sets, (Engine.PODMAN,)))
    configured = [container for container in known if container.seccomp]
    for container in sorted(configured, key=lambda one: not one.given):
        yield from _read_configured(container)


def _list_hosts(sets: list[frozenset[str]], engines: tuple[Engine, ...]) -> tuple[Host, ...]:
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    kernel = (int(release[1]), int(release[2])) if release else (0, 0)
    native = Arch.native()
    return tuple(Host(native, caps, kernel, engine) for caps in sets for engine in engines)


def _read_candidate(name: str, path: Path, hosts: tuple[Host, ...]) -> Iterator[ProfileCandidate]:
    try:
        yield ProfileCandidate(name, load_profile(path), hosts)
    except SeclatchError:
        return  # errors in the distribution's file do not concern this command


def _read_configured(known: KnownContainer) -> Iterator[ProfileCandidate]:
    """Yield the profile in a container's config.json, which the runtime was given."""
    try:
        yield ProfileCandidate(
            known.given or CONFIGURED, parse_profile(json.dumps(known.seccomp), "config.json")
        )
    except SeclatchError:
        return


def _resolve(candidate: ProfileCandidate) -> Iterator[Profile]:
    if candidate.profile is None:
        return
    if not candidate.hosts:
        yield candidate.profile
    for host in candidate.hosts if candidate.profile.default_action else ():
        yield narrow_profile(candidate.profile, host)


def _compile_programs(name: str, profile: Profile) -> Iterator[CompiledCandidate]:
    for runtime in _RUNTIMES:
        try:
            program = compile_profile(profile, runtime=runtime)
        except (SeclatchError, RuntimeError):
            continue  # this runtime refuses the profile, or libseccomp does not finish
        for code in (program.code, *program.alternatives):
            yield CompiledCandidate(name, code, profile, runtime)
