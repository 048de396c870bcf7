"""Output of `seclatch amend`: what is offered, what is not, the change of the file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
import msgspec

from seclatch.cli.shared.result_output import print_warnings, require_stdout
from seclatch.errors import SeclatchError
from seclatch.model.profile.amendment import Amendment
from seclatch.model.profile.profile import format_comparisons
from seclatch.output.printable_text import clip_printable, make_printable

if TYPE_CHECKING:
    from seclatch.model.profile.amendment import UnamendedCall
    from seclatch.profile.amend.plan_amendment import AmendedProfile
    from seclatch.profile.amend.propose_rules import ProposedCall
    from seclatch.profile.amend.select_denials import DenialSources


@dataclass(slots=True)
class AmendmentResult:
    """What becomes of a profile. `text` is the new one, `written` the file that has it."""

    offered: list[ProposedCall] = field(default_factory=list)
    accepted: list[ProposedCall] = field(default_factory=list)
    unamended: list[UnamendedCall] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    text: str = ""
    written: str = ""


def print_amendment(profile: AmendedProfile, result: AmendmentResult) -> None:
    """Print the calls with reasons and the diff to stdout, what is to be known to stderr."""
    require_stdout()
    print_warnings("amend", result.notes)
    lines = [*_list_calls(result), *result.facts, *_list_changes(profile, result.text)]
    if not result.offered and result.text == profile.text:
        lines.append(f"{profile.name}: nothing to amend")
    for line in lines:
        click.echo(clip_printable(line))


def _list_calls(result: AmendmentResult) -> Iterator[str]:
    accepted = {id(each) for each in result.accepted}
    for each in result.offered:
        sign = "+" if id(each) in accepted else "!"
        left = "" if id(each) in accepted else f"; left out: --allow {each.names[0]} allows it"
        yield f"{sign} {name_rules(each)}: {each.reason}; {each.kind}{left}"
        if each.danger:
            yield f"    {each.danger}"
    for row in result.unamended:
        times = "once" if row.count == 1 else f"{row.count} times"
        option = f"; {row.option} offers it" if row.option else ""
        yield f"- {row.call} ({times}): {row.reason}{option}"


def name_rules(proposed: ProposedCall) -> str:
    """Write the calls with the comparisons of their rules: `socket(arg0 & 0xffffffff == 0x10)`."""
    names = ", ".join(proposed.names)
    args = " or ".join(format_comparisons(rule.args) for rule in proposed.rules if rule.args)
    return f"{names}({args})" if args else names


def _list_changes(profile: AmendedProfile, text: str) -> Iterator[str]:
    before, after = profile.text.splitlines(), text.splitlines()
    yield from difflib.unified_diff(before, after, profile.name, profile.name, n=2, lineterm="")


def ask_for(proposed: ProposedCall) -> bool:
    """Ask for one dangerous call; the default is no."""
    print_warnings(
        "amend", [f"{name_rules(proposed)}: {proposed.reason}; dangerous: {proposed.danger}"]
    )
    return confirm(f"Allow {make_printable(', '.join(proposed.names))}?")


def confirm(question: str) -> bool:
    """Ask on stderr; the default is no. Raises SeclatchError where there is no answer."""
    try:
        return click.confirm(question, default=False, err=True)
    except click.Abort as error:
        raise SeclatchError(
            "no answer on standard input: nothing was written",
            remedy="give --yes (it leaves out dangerous calls, but for --allow CALL) or --dry-run",
            status=2,
        ) from error


def encode_amendment(
    profile: AmendedProfile, result: AmendmentResult, sources: DenialSources, *, enforced: bool
) -> str:
    """Return the result for machines."""
    accepted = {id(each) for each in result.accepted}
    document = Amendment(
        profile=profile.name,
        sources=sources.names,
        amended=[each.document(accepted=id(each) in accepted) for each in result.offered],
        unamended=result.unamended,
        notes=result.notes,
        facts=result.facts,
        enforced=enforced,
        written=result.written,
    )
    return msgspec.json.encode(document).decode()
