"""Remedies that change a profile's rules: each one is tried before it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import msgspec

from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.command_line import (
    name_own_profile,
    with_capability,
    with_profile,
)
from seclatch.diagnose.remedies.exposure import (
    describe_exposure,
    find_flags_argument,
    has_exposure,
    list_asked_namespaces,
)
from seclatch.diagnose.remedies.profile_fix import ProfileFix, ProfileFixer
from seclatch.diagnose.remedies.required_capabilities import find_taken
from seclatch.model.explanation import Remedy
from seclatch.profile.checks.namespaces import NAMESPACES
from seclatch.profile.checks.old_and_new_calls import TWINS

_ALLOW = "SCMP_ACT_ALLOW"


@dataclass(frozen=True, slots=True)
class RuleRemedies:
    """Makes remedies for the profile of one command."""

    command: Sequence[str]
    fixer: ProfileFixer

    def allow_call(self, case: DenialCase) -> Iterator[Remedy]:
        """Yield the remedy that allows a denied call."""
        name, fixer = case.denial.syscall, self.fixer
        asked = list_asked_namespaces(name, case.seen.args)
        if name == "clone" and not asked and (fix := fixer.add_rule(name, _make_clone_rule())):
            text = (
                "allow clone to the program, but for new namespaces: it then makes processes only"
            )
            yield self._make_remedy(fix, f"{text}; {fix.place}", [])
            return
        fix = fixer.allow([name])
        if fix is None:
            return
        text = f"allow {name} to the program: {fix.place}"
        if has_exposure(name):
            text += f". What that opens: {describe_exposure(name)}"
        if asked:
            text += f"; this call asked for {'|'.join(asked)}"
        taken = find_taken(name, case.seen.args, case.held)
        if taken:
            option = f"--cap-add {taken.removeprefix('CAP_')}"
            text += f". It takes {taken} as well, which the program lacks: {option}"
        yield self._make_remedy(fix, text, [name], capability=taken)

    def allow_together(self, names: Sequence[str]) -> Iterator[Remedy]:
        """Yield the remedy that allows several calls, none of which is enough alone."""
        if fix := self.fixer.allow(names):
            text = f"allow {', '.join(names)} to the program, which it takes together: {fix.place}"
            yield self._make_remedy(fix, text, names)

    def allow_twins(self, name: str) -> Iterator[Remedy]:
        """Yield the remedy that also allows the calls that other C libraries use for the same."""
        twins = sorted({t for family in TWINS if name in family for t in family} - {name})
        fix = self.fixer.allow([name, *twins]) if twins else None
        if fix:
            text = f"other C libraries use {', '.join(twins)} for the same; allow those with it"
            rules = make_allow_rule([name, *twins]) if fix.rule else None
            diff = "" if fix.rule else fix.diff
            yield Remedy(kind="profile", text=text, rules=rules, tried=True, diff=diff)

    def answer_enosys(self, name: str) -> Iterator[Remedy]:
        """Yield the remedy that has C libraries use the older call."""
        if fix := self.fixer.answer_enosys(name):
            text = f"answer {name} with ENOSYS: C libraries then use the older call instead"
            yield self._make_remedy(fix, f"{text}; {fix.place}", [])

    def allow_runtime(self, names: Sequence[str], text: str, opens: list[str]) -> Iterator[Remedy]:
        """Yield the remedy that allows all that a runtime needs."""
        if fix := self.fixer.allow(names):
            made = self._make_remedy(fix, f"{text}: {fix.place}", names)
            yield msgspec.structs.replace(made, opens=opens)

    def _make_remedy(
        self, fix: ProfileFix, text: str, names: Sequence[str], *, capability: str = ""
    ) -> Remedy:
        """Return the remedy with what can be pasted: a new profile, and the start with it."""
        base, derived, then = fix.file or name_own_profile(self.command), [], []
        if base and names and not base.endswith("config.json"):
            new = f"{PurePosixPath(base).name.removesuffix('.json')}-fixed.json"
            allowed = [word for name in names for word in ("--allow", name)]
            given = with_capability(self.command, capability) if capability else []
            then = with_profile(given or self.command, new)
            derived = ["seclatch", "profile", "derive", base, *allowed, "-o", new] if then else []
        return Remedy(
            kind="rules" if fix.rule and fix.rule["action"] == _ALLOW else "profile",
            text=text,
            command=derived,
            then=then,
            rules=[fix.rule] if fix.rule else None,
            file=fix.file,
            line=fix.line,
            diff=fix.diff,
            tried=True,
        )


def make_allow_rule(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return a rule that allows calls, in the list that `Remedy.rules` is."""
    return [{"names": list(names), "action": _ALLOW}]


def _make_clone_rule() -> dict[str, Any]:
    """Return a rule that denies new namespaces, as Docker's own profile has it."""
    mask = {
        "index": find_flags_argument("clone"),
        "value": NAMESPACES,
        "valueTwo": 0,
        "op": "SCMP_CMP_MASKED_EQ",
    }
    return {"names": ["clone"], "action": _ALLOW, "args": [mask]}
