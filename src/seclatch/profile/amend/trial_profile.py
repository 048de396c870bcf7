"""The trial of a profile: the same one, with what it would deny logged instead, and back.

Rules that answer ENOSYS stay: programs then do what they will do under the enforced profile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from seclatch.errors import InputError, SeclatchError
from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.filter.symbolic.term import TooComplexError
from seclatch.model.action import ENOSYS, EPERM, Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.call_notation import parse_action
from seclatch.model.errno import parse_errno
from seclatch.model.profile.profile import Profile, Rule
from seclatch.profile.edit.profile_text import edit_text
from seclatch.profile.meaning.compared_side import make_side
from seclatch.profile.meaning.equivalence import MAX_COMPARISONS, find_differences
from seclatch.profile.meaning.sample_values import TooManyError
from seclatch.profile.parse.load_profile import parse_profile

LOG = "SCMP_ACT_LOG"
DENY = Action(ActionKind.ERRNO, EPERM)
_MARK = re.compile(r"trial of (SCMP_ACT_\w+(?:\(\d+\))?)(?:; (.*))?", re.DOTALL)
_DENYING = (ActionKind.ERRNO, ActionKind.KILL_PROCESS, ActionKind.KILL_THREAD, ActionKind.TRAP)


@dataclass(frozen=True, slots=True)
class TrialText:
    """The text of a trial profile, and the default action that it replaced."""

    text: str
    default: Action


def make_trial(text: str, name: str) -> TrialText:
    """Log what the profile denies. Raises InputError for one that denies nothing."""
    profile, edited = parse_profile(text, name), edit_text(text, name)
    default = _with_errno(profile.default, profile.default_errno_name)
    denying = [index for index, rule in enumerate(profile.rules) if _is_denied(rule)]
    if default.kind in _DENYING:
        edited.set_default(LOG, None)
    elif not denying:
        remedy = f"amend {name} --enforce makes it deny" if is_trial(profile) else ""
        raise InputError(name, "", "it denies nothing that could be logged instead", remedy=remedy)
    for index in denying:
        rule = profile.rules[index]
        action = _with_errno(rule.effect, rule.errno_name)
        comment = f"trial of {action}" + (f"; {rule.comment}" if rule.comment else "")
        edited.set_action(index, LOG, None, comment)
    return TrialText(edited.text, default)


def is_trial(profile: Profile) -> bool:
    """Whether it logs by default, or a rule of it is marked as one of a trial."""
    return profile.default_action == LOG or any(map(_read_mark, profile.rules))


def enforce_text(text: str, name: str, default: Action) -> str:
    """Turn a trial profile's text into the enforcing one. Raises InputError for another one."""
    profile, edited = parse_profile(text, name), edit_text(text, name)
    if not is_trial(profile):
        remedy = f"seclatch profile audit {name} -o FILE makes a trial profile"
        raise InputError(name, "", "it is not a trial profile: it logs nothing", remedy=remedy)
    if profile.default_action == LOG:
        edited.set_default(default.kind.scmp, default.data if default.kind.takes_data else None)
    for index, rule in enumerate(profile.rules):
        if mark := _read_mark(rule):
            action, comment = mark
            data = action.data if action.kind.takes_data else None
            edited.set_action(index, action.kind.scmp, data, comment)
    return edited.text


def require_same_calls(before: Profile, after: Profile, native: Arch, name: str) -> None:
    """Raise SeclatchError if a trial allows, without logging it, what the profile denies.

    libseccomp drops a rule that says what the default says, and one without conditions wins over
    those with some: so LOG for both may uncover a rule that had no effect.
    """
    old, new = make_side(before, native), make_side(after, native)
    budget = BranchBudget(MAX_COMPARISONS)
    for arch in old.meaning.arches:
        for call in sorted(old.calls | new.calls):
            one, other = old.verdicts(call, arch), new.verdicts(call, arch)
            if one is None or other is None:
                continue
            try:
                pairs = find_differences(one, other, arch.bits, budget)
            except (TooManyError, TooComplexError):
                continue
            if any(ends.kind is ActionKind.ALLOW for _, ends in pairs):
                raise SeclatchError(
                    f"{name}: a trial of it would allow {call} without a line in the log: a rule "
                    "without conditions denies it, and others for the same call allow it",
                    remedy=f"remove the rules for {call} that have no effect "
                    "(seclatch profile check lists them)",
                    status=2,
                )


def _is_denied(rule: Rule) -> bool:
    action = _with_errno(rule.effect, rule.errno_name)
    return action.kind in _DENYING and action != Action(ActionKind.ERRNO, ENOSYS)


def _with_errno(action: Action, name: str) -> Action:
    """containers-common's `errno` by name counts more than errnoRet."""
    if action.kind is ActionKind.ERRNO and name:
        return Action(ActionKind.ERRNO, parse_errno(name))
    return action


def _read_mark(rule: Rule) -> tuple[Action, str] | None:
    """Return the action of the enforced profile and the comment that the rule had."""
    match = _MARK.fullmatch(rule.comment) if rule.action == LOG else None
    if match is None:
        return None
    try:
        return parse_action(match[1]), match[2] or ""
    except ValueError:
        return None
