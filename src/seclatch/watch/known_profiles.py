"""Find the profile that a filter was compiled from, and the rule that answers a call."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from seclatch.diagnose.denials.matching_rule import ProfileEvaluator
from seclatch.model.arch import Arch
from seclatch.model.capability import name_capabilities
from seclatch.process.recognize_profiles import (
    SECONDS,
    compile_candidates,
    list_candidates,
    read_files,
)
from seclatch.watch.process_contexts import ProcessContext

_MAX_KNOWN = 1024

Recognized = tuple[str, ProfileEvaluator | None]


class KnownProfiles:
    """Names of programs: of given files, of engines' defaults, of containers' configurations."""

    def __init__(self, files: Sequence[Path] = ()) -> None:
        """Raise SeclatchError for a file that cannot be read."""
        self._files = read_files(files)
        self._known: OrderedDict[tuple[bytes, str], Recognized] = OrderedDict()

    def find(self, code: bytes, context: ProcessContext) -> Recognized:
        """Return the profile's name and what evaluates it; "" and None if none compiles to it."""
        container = context.container
        key = (code, container.container.id if container else "")
        if key not in self._known:
            self._known[key] = self._compile(code, context)
        self._known.move_to_end(key)
        while len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)
        return self._known[key]

    def _compile(self, code: bytes, context: ProcessContext) -> Recognized:
        deadline = time.monotonic() + SECONDS
        known = (context.container,) if context.container else ()
        sets = (name_capabilities(context.capabilities or 0),)
        for compiled in compile_candidates(list_candidates(self._files, known, sets)):
            if compiled.code == code:
                if compiled.profile is None or compiled.runtime is None:
                    return compiled.name, None
                evaluator = ProfileEvaluator(
                    compiled.profile, compiled.runtime.value, Arch.native()
                )
                return compiled.name, evaluator
            if time.monotonic() > deadline:
                break
        return "", None
