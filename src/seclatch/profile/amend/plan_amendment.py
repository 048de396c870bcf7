"""Plan an amendment: the profile as text and meaning, the proposals, the amended text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from seclatch.model.action import ENOSYS, Action, ActionKind
from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.recording.recording import Recording
from seclatch.profile.amend.complete_families import complete_families
from seclatch.profile.amend.denial_evidence import (
    DenialEvidence,
    find_selector,
    list_recorded_calls,
    merge_denials,
)
from seclatch.profile.amend.denial_log_file import LoggedGroup
from seclatch.profile.amend.ignored_denials import IgnoredDenials
from seclatch.profile.amend.propose_rules import (
    ProposalOptions,
    Proposals,
    ProposedCall,
    propose_rules,
)
from seclatch.profile.amend.trial_profile import DENY, enforce_text, is_trial
from seclatch.profile.amend.verify_amendment import verify_amendment
from seclatch.profile.compile.resolve_profile import Host, narrow_profile
from seclatch.profile.curated.default_profiles import load_default
from seclatch.profile.edit.profile_text import edit_text
from seclatch.profile.generate.limits.recorded_limit import RecordedLimit
from seclatch.profile.meaning.diff_profiles import compare_profiles
from seclatch.profile.meaning.known_arguments import know_arguments
from seclatch.profile.meaning.rule_meaning import ProfileMeaning, read_meaning
from seclatch.profile.parse.default_documents import default_version
from seclatch.profile.parse.load_profile import parse_profile

MAX_COMMENT = 300


@dataclass(frozen=True, slots=True)
class AmendedProfile:
    """A profile under amendment on one host. `enforced` is what it denies once it is enforced."""

    text: str
    name: str
    host: Host
    trial: bool
    enforced: Profile

    @classmethod
    def read(cls, text: str, name: str, host: Host) -> AmendedProfile:
        """Read a profile's text. Raises InputError."""
        parsed = parse_profile(text, name)
        edit_text(text, name)  # raises for what cannot be edited
        trial = is_trial(parsed)
        return cls(text, name, host, trial, resolve_enforced(text, name, host, trial=trial))


def resolve_enforced(text: str, name: str, host: Host, *, trial: bool) -> Profile:
    """Resolve a text, of a trial profile as it will be enforced."""
    if trial:
        text = enforce_text(text, name, DENY)
    return narrow_profile(parse_profile(text, name), host)


def find_limit(host: Host) -> RecordedLimit:
    """Return the engine's default profile for this host and these capabilities."""
    name = f"{host.engine.value}-default"
    profile = narrow_profile(load_default(host.engine), host)
    return RecordedLimit(profile, f"{name} ({default_version(name)})")


def list_trial_calls(
    profile: AmendedProfile, recordings: dict[str, Recording]
) -> list[DenialEvidence]:
    """List the recorded calls that a trial profile logged: those that it will deny.

    A recording does not have all arguments: what the profile allows for some is not among them.
    """
    if not profile.trial:
        return []
    meaning = read_meaning(profile.enforced, profile.host.arch)
    return [
        call
        for name, recording in recordings.items()
        for call in list_recorded_calls(recording, name)
        if not _may_execute(meaning, call)
    ]


def _may_execute(meaning: ProfileMeaning, call: DenialEvidence) -> bool:
    """Whether the call is allowed for some values of the arguments that were not recorded."""
    if call.selector is None:
        return meaning.may_execute(call.name)
    known = {find_selector(call.name) or 0: call.selector}
    return know_arguments(meaning, call.name, known).may_execute(call.name)


def find_new_denials(
    profile: AmendedProfile, ignored: IgnoredDenials
) -> Callable[[LoggedGroup], bool]:
    """Return a test for denials that the enforced profile would repeat and that are not ignored.

    ENOSYS does not count: a trial answers it too.
    """
    meaning = read_meaning(profile.enforced, profile.host.arch)
    arches = {arch.title for arch in meaning.arches}

    def is_new(group: LoggedGroup) -> bool:
        seen = group.seen
        if seen.runtime or ignored.match(seen):
            return False
        if seen.arch not in arches:
            return True
        if seen.args is None:
            return not meaning.always_executes(seen.name)
        action = meaning.verdict(seen.name, seen.args)
        return not action.kind.executes and action != Action(ActionKind.ERRNO, ENOSYS)

    return is_new


def plan_proposals(
    profile: AmendedProfile, denials: Iterable[DenialEvidence], options: ProposalOptions
) -> Proposals:
    """Propose rules for the denials."""
    merged = merge_denials(denials)
    return propose_rules(profile.enforced, profile.host.arch, merged, options)


def add_families(
    profile: AmendedProfile, accepted: Sequence[ProposedCall], options: ProposalOptions
) -> list[ProposedCall]:
    """Return the calls of families that the accepted ones open."""
    left = {call.syscall.name for call in options.ignored.calls}
    native = profile.host.arch
    return list(complete_families(profile.enforced, native, accepted, options.limit, left))


@dataclass(slots=True)
class AmendedText:
    """The new text; what is different besides, for the user."""

    text: str
    notes: list[str] = field(default_factory=list)


def write_amendment(
    profile: AmendedProfile, accepted: Sequence[ProposedCall], overrule: Iterable[str]
) -> AmendedText:
    """Add the rules to the text and try the result. Raises SeclatchError if it is not right."""
    edited = edit_text(profile.text, profile.name)
    names = {name for each in accepted for name in each.names}
    if dropped := names.intersection(overrule):
        rules = parse_profile(profile.text, profile.name).rules
        edited.drop_names(dropped, _list_denying(rules, dropped))
    for each in accepted:
        edited.add_rules(each.rules, f"amended: {each.reason}"[:MAX_COMMENT])
    after = resolve_enforced(edited.text, profile.name, profile.host, trial=profile.trial)
    notes = verify_amendment(profile.enforced, after, profile.host.arch, accepted)
    return AmendedText(edited.text, notes)


def _list_denying(rules: Sequence[Rule], names: set[str]) -> list[int]:
    """Return the rules that deny one of the names, the last first: some may be removed.

    A rule of a trial that logs is one that will deny.
    """
    return [
        index
        for index, rule in reversed(list(enumerate(rules)))
        if rule.effect.kind is not ActionKind.ALLOW and names.intersection(rule.names)
    ]


def compare_recorded(profile: AmendedProfile, recordings: dict[str, Recording]) -> list[str]:
    """Say which recordings were made under another profile than this one."""
    notes = []
    for name, recording in recordings.items():
        for container in recording.containers:
            if not container.profile:
                continue
            bound = parse_profile(json.dumps(container.profile), name)
            current = narrow_profile(parse_profile(profile.text, profile.name), profile.host)
            changes = compare_profiles(bound, current, profile.host.arch).changes
            if changes:
                calls = ", ".join(change.name for change in changes[:5])
                more = f" and {len(changes) - 5} more" if len(changes) > 5 else ""
                notes.append(
                    f"{name} was recorded under another profile than {profile.name} is now: they "
                    f"differ in {calls}{more}"
                )
                break
    return notes
