"""The steps of `seclatch amend`: propose, ask, complete, try; enforce a trial."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from seclatch.cli.amend.amendment_output import AmendmentResult, ask_for
from seclatch.errors import SeclatchError
from seclatch.model.call_notation import parse_action
from seclatch.profile.amend.plan_amendment import (
    AmendedProfile,
    add_families,
    compare_recorded,
    find_new_denials,
    list_trial_calls,
    plan_proposals,
    write_amendment,
)
from seclatch.profile.amend.propose_rules import ProposalOptions, ProposedCall
from seclatch.profile.amend.select_denials import DenialSources, list_denials
from seclatch.profile.amend.trial_facts import (
    describe_unread,
    list_facts,
    measure_quiet,
    require_quiet,
)
from seclatch.profile.amend.trial_profile import DENY, enforce_text


def amend_profile(
    profile: AmendedProfile,
    sources: DenialSources,
    chosen: ProposalOptions,
    options: Mapping[str, Any],
    result: AmendmentResult,
) -> None:
    """Propose, ask for what is dangerous, and make the text with what is accepted."""
    result.notes += [describe_unread(log) for log in sources.logs if log.unread]
    result.notes += _describe_hosts(sources)
    result.notes += compare_recorded(profile, sources.recordings)
    denials = [
        *list_denials(sources, lambda seen: options["no_sessions"] and seen.session),
        *list_trial_calls(profile, sources.recordings),
    ]
    found = plan_proposals(profile, denials, chosen)
    result.unamended += found.unamended
    accepted = [each for each in found.offered if _is_accepted(each, options)]
    families = [] if options["exact"] else add_families(profile, accepted, chosen)
    result.offered = [*found.offered, *families]
    result.accepted = [*accepted, *families]
    amended = write_amendment(profile, result.accepted, chosen.overrule)
    result.text = amended.text
    result.notes += amended.notes


def _is_accepted(proposed: ProposedCall, options: Mapping[str, Any]) -> bool:
    """Return whether the rules are added; a dangerous call takes a yes of its own, or --allow."""
    if not proposed.danger or set(proposed.names) <= set(options["allow"]):
        return True
    return not (options["yes"] or options["dry_run"]) and ask_for(proposed)


def _describe_hosts(sources: DenialSources) -> list[str]:
    """Name the hosts of the logs if there are several, or it is not this one."""
    hosts = {host.id: host.name for log in sources.logs for host in log.hosts}
    if len(hosts) > 1:
        return [f"the logs are of {len(hosts)} hosts: {', '.join(sorted(hosts.values()))}"]
    here = os.uname().nodename
    others = [name for name in hosts.values() if name != here]
    return [f"the log is of the host {name}, not of this one ({here})" for name in others]


def enforce_profile(
    profile: AmendedProfile,
    sources: DenialSources,
    chosen: ProposalOptions,
    options: Mapping[str, Any],
    result: AmendmentResult,
) -> None:
    """Turn the amended text into the enforcing one, if it was quiet for long enough."""
    try:
        action = parse_action(options["action"]) if options["action"] else DENY
    except ValueError as error:
        raise click.UsageError(f"--action: {error}") from error
    if action.kind.executes:
        raise click.UsageError(f"--action: {action} denies nothing")

    quiet = measure_quiet(sources.logs, find_new_denials(profile, chosen.ignored))
    result.facts += list_facts(sources.logs, list(sources.recordings.values()), quiet)
    try:
        require_quiet(sources.logs, quiet, options["quiet_for"])
    except SeclatchError as error:
        error.args = ("\n  ".join([str(error), *result.facts]),)
        raise
    result.text = enforce_text(result.text, profile.name, action)
