"""Find the profile that a filter was compiled from, and the rule that answers a call."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from seclatch.diagnose.denials.matching_rule import ProfileEvaluator
from seclatch.model.arch import Arch
from seclatch.model.capability import name_capabilities
from seclatch.process.containers.known_container import KnownContainer
from seclatch.process.recognize_profiles import (
    PODMAN_DEFAULT,
    CompiledCandidate,
    ProfileCandidate,
    compile_candidates,
    list_candidates,
    read_files,
)
from seclatch.watch.process_contexts import DeniedProcess

_MAX_KNOWN = 256
_BUDGET_SECONDS = 1.0
"""Time for compiling in one epoch: containers' configurations are untrusted, and denials wait."""

Recognized = tuple[str, ProfileEvaluator | None]
_Programs = dict[bytes, Recognized]


class KnownProfiles:
    """Names of programs: of given files, of engines' defaults, of containers' configurations."""

    def __init__(self, files: Sequence[Path] = ()) -> None:
        """Raise SeclatchError for a file that cannot be read."""
        self._files = read_files(files)
        self._conditional = any(one.profile and one.profile.conditional for one in self._files)
        self._known: OrderedDict[object, _Programs] = OrderedDict()
        self._spent = 0.0

    def begin_epoch(self) -> None:
        """Give the next denials time for compiling again."""
        self._spent = 0.0

    def find(self, code: bytes, context: DeniedProcess) -> Recognized:
        """Return the profile's name and what evaluates it; "" and None if none compiles to it."""
        capabilities = context.capabilities or 0
        sets = (name_capabilities(capabilities),)
        files = ("files", capabilities if self._conditional else 0)
        found = self._look_up(files, lambda: self._compile_files(sets), code)
        known = context.container
        if not found and known and known.seccomp:
            key = (known.given, json.dumps(known.seccomp))
            found = self._look_up(key, lambda: _compile_configured(known), code)
        if not found:
            defaults = ("defaults", capabilities)
            found = self._look_up(defaults, lambda: _compile(list_candidates((), (), sets)), code)
        return found or ("", None)

    def _look_up(
        self, key: object, compile_: Callable[[], _Programs], code: bytes
    ) -> Recognized | None:
        if key not in self._known:
            if self._spent > _BUDGET_SECONDS:
                return None
            began = time.monotonic()
            self._known[key] = compile_()
            self._spent += time.monotonic() - began
        self._known.move_to_end(key)
        while len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)
        return self._known[key].get(code)

    def _compile_files(self, sets: tuple[frozenset[str], ...]) -> _Programs:
        """Compile given files as for processes of these capabilities."""
        candidates = list_candidates(self._files, (), sets)
        return _compile(one for one in candidates if one.name != PODMAN_DEFAULT)


def _compile_configured(known: KnownContainer) -> _Programs:
    candidates = list_candidates((), (known,), ())
    return _compile(one for one in candidates if one.name != PODMAN_DEFAULT)


def _compile(candidates: Iterable[ProfileCandidate]) -> _Programs:
    found: _Programs = {}
    for compiled in compile_candidates(candidates):
        found.setdefault(compiled.code, (compiled.name, _make_evaluator(compiled)))
    return found


def _make_evaluator(compiled: CompiledCandidate) -> ProfileEvaluator | None:
    if compiled.profile is None or compiled.runtime is None:
        return None
    return ProfileEvaluator(compiled.profile, compiled.runtime.value, Arch.native())
