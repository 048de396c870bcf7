"""Change a profile so that a denied call is allowed, and try the change before it is shown.

The file is the one that the command names, or the bundle's config.json of a runtime that is called
directly. The changed text is compiled as the runtime does, and the filter run on the denied call.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.denials.matching_rule import ProfileEvaluator, make_evaluator
from seclatch.diagnose.evidence.command_line import given_bundle, given_profile
from seclatch.errors import SeclatchError
from seclatch.model.action import ENOSYS, Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.capability import name_capabilities
from seclatch.model.profile.profile import Profile
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.profile.compile.resolve_profile import Host, narrow_profile
from seclatch.profile.edit.allow_calls import ProfileEdit, edit_profile_text
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.profile.parse.profile_source import read_source

_BOUNDING = 3
_NO_ARGS = (0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class ProfileFix:
    """A changed profile that was tried; `place` says what is changed where, `line` is 0 if unknown.

    `file` is "" where the profile's file is not known; `text` is then one in Docker's format.
    """

    file: str
    line: int
    place: str
    text: str
    diff: str
    rule: dict[str, Any] | None


class ProfileFixer:
    """Fixes the profile of one denial."""

    def __init__(
        self, command: Sequence[str], case: DenialCase, evaluator: ProfileEvaluator | None
    ) -> None:
        self._command = command
        self._case = case
        self._evaluator = evaluator
        self._before: dict[str, Action] = {}
        self.made: list[ProfileFix] = []
        """All that were made, in order."""

    def allow(self, names: Sequence[str]) -> ProfileFix | None:
        """Return a profile that allows the calls; None if none can be made that does."""
        return self._fix(names, None)

    def answer_enosys(self, name: str) -> ProfileFix | None:
        """Return a profile that answers a call with ENOSYS."""
        return self._fix([name], {"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS})

    def add_rule(self, name: str, rule: dict[str, Any]) -> ProfileFix | None:
        """Return a profile with one more rule about a call, and none that denies it."""
        return self._fix([name], rule)

    @cached_property
    def file(self) -> str:
        """Return the profile's file; "" if it is not known, or is the engine's own."""
        named = given_profile(self._command) or given_bundle(self._command)
        return named if named and Path(named).is_file() else ""

    @cached_property
    def _text(self) -> str:
        try:
            return read_source(Path(self.file)).text() if self.file else ""
        except (SeclatchError, OSError):
            return ""

    def _fix(self, names: Sequence[str], rule: dict[str, Any] | None) -> ProfileFix | None:
        if self._evaluator is None:
            return None
        text, file = (self._text, self.file) if self._text else (self._write_known(), "")
        try:
            edit = edit_profile_text(text, file or "profile", names, rule)
            profile = parse_profile(edit.text, file or "profile")
        except (SeclatchError, ValueError, LookupError):
            return None
        wanted = Action(ActionKind.ERRNO, ENOSYS) if rule and "errnoRet" in rule else None
        if not self._works(profile, names, wanted):
            return None
        diff = _make_diff(file, text, edit.text) if file else ""
        line = _find_line(edit) if file else 0
        place = _describe_place(edit, file)
        self.made.append(ProfileFix(file, line, place, edit.text, diff, edit.added))
        return self.made[-1]

    def _write_known(self) -> str:
        """Return the profile that the bundle has, as a text."""
        from seclatch.profile.export import docker

        return docker.write(self._evaluator.profile).text if self._evaluator else ""

    def _works(self, profile: Profile, names: Sequence[str], wanted: Action | None) -> bool:
        """Try the profile: are the calls answered as they should be, and all others as before?"""
        before = self._evaluator
        if before is None:
            return False
        after = make_evaluator(narrow_profile(profile, self._host), before.runtime, before.native)
        if after is None:
            return False
        call, args = self._case.syscall, self._case.seen.args
        numbers = load_syscalls(before.native).numbers
        calls = [Syscall(before.native, numbers[name], name) for name in names if name in numbers]
        tried = [(call, args)] if call.name in names else []
        for one, given in [*tried, *((one, _NO_ARGS) for one in calls if one.name != call.name)]:
            action = after.answer(one, given)
            if (action != wanted) if wanted else not action.kind.executes:
                return False
        rest = set(numbers) - set(names)
        others = [Syscall(before.native, numbers[name], name) for name in sorted(rest)]
        changed = [one for one in others if self._answer_before(one) != after.answer(one, _NO_ARGS)]
        return all(before.evaluate(one, _NO_ARGS).by == "newer" for one in changed)

    def _answer_before(self, call: Syscall) -> Action | None:
        if call.name not in self._before and self._evaluator:
            self._before[call.name] = self._evaluator.answer(call, _NO_ARGS)
        return self._before.get(call.name)

    @cached_property
    def _host(self) -> Host:
        held = self._case.held
        caps = frozenset(name_capabilities(held[_BOUNDING])) if held else frozenset()
        release = re.match(r"(\d+)\.(\d+)", os.uname().release)
        kernel = (int(release[1]), int(release[2])) if release else (0, 0)
        return Host(Arch.native(), caps, kernel)


def _find_line(edit: ProfileEdit) -> int:
    return edit.removed[0][1].line if edit.removed else edit.place.line


def _describe_place(edit: ProfileEdit, file: str) -> str:
    """Say what to change where, such as `take it out of rule 3 of strict.json, line 12`."""
    of = f" of {file}" if file else " of the profile"
    if edit.removed:
        rules = [f"rule {n}{of}{f', line {at.line}' if file else ''}" for n, at in edit.removed]
        return f"take it out of {' and '.join(rules)}"
    return f"add a rule to {file}, after line {edit.place.line}" if file else "add a rule"


def _make_diff(file: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), file, file, lineterm="", n=1
    )
    return "\n".join(lines)
