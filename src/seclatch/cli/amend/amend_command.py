"""`seclatch amend`: allow in a profile what was denied under it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seclatch.cli.amend.amend_options import split_words
from seclatch.cli.shared.call_names import parse_calls
from seclatch.cli.shared.complete_names import complete_container
from seclatch.cli.shared.duration import parse_duration, parse_optional_duration
from seclatch.cli.shared.profile_options import host_from, host_options
from seclatch.cli.shared.recording_options import no_sessions_option
from seclatch.cli.shared.result_output import print_warnings, write_result
from seclatch.errors import SeclatchError

if TYPE_CHECKING:
    from seclatch.profile.amend.plan_amendment import AmendedProfile
    from seclatch.profile.amend.propose_rules import ProposalOptions
    from seclatch.profile.amend.select_denials import DenialSources

_FILE = click.Path(path_type=Path, dir_okay=False)
_SOURCE = click.Path(path_type=Path, allow_dash=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("profile", type=_FILE)
@click.option(
    "--from", "recordings", multiple=True, type=_SOURCE, metavar="RECORDING", help="A recording."
)
@click.option(
    "--watch-log",
    "logs",
    multiple=True,
    type=_SOURCE,
    metavar="FILE",
    help="A log of `seclatch watch`.",
)
@click.option(
    "--container",
    metavar="NAME",
    shell_complete=complete_container,
    help="Watch the running container NAME (or its id); with logs: those of this one.",
)
@click.option(
    "--for",
    "watched_for",
    callback=parse_optional_duration,
    metavar="TIME",
    help="Watch --container for so long, not until ctrl-C; with logs too.",
)
@click.option("--image", metavar="NAME", help="Of the logs: the containers of this image.")
@no_sessions_option
@click.option(
    "--exact", is_flag=True, help="Without calls that are harmless for a program with new ones."
)
@click.option(
    "--allow",
    multiple=True,
    metavar="CALL",
    callback=parse_calls,
    help="Answer yes for this dangerous call; may be given again.",
)
@click.option(
    "--wider",
    multiple=True,
    metavar="CALL",
    callback=parse_calls,
    help="Offer this call, though the engine's default denies it; may be given again.",
)
@click.option(
    "--overrule",
    multiple=True,
    metavar="CALL",
    callback=parse_calls,
    help="Offer this call, though a rule of the profile denies it; may be given again.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="CALL[,…]",
    callback=split_words,
    help="Denied rightly: never offer it again.",
)
@click.option(
    "--ignore-file",
    type=_FILE,
    metavar="FILE",
    help="Where ignored calls are kept (PROFILE.ignored).",
)
@click.option("--enforce", is_flag=True, help="Make a trial profile the enforcing one.")
@click.option(
    "--quiet-for",
    default="24h",
    show_default=True,
    callback=parse_duration,
    metavar="TIME",
    help="With --enforce: the watched time without a new denial; 0 for none.",
)
@click.option(
    "--action", metavar="ACTION", help="With --enforce: the default action, ERRNO(EPERM)."
)
@click.option("-y", "--yes", is_flag=True, help="Ask nothing; leave out dangerous calls.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would change; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, schema amend/1.")
@click.option("-o", "--output", type=_FILE, metavar="FILE", help="Write there, not to PROFILE.")
@host_options
def command(profile: Path, output: Path | None, as_json: bool, **options: Any) -> None:
    """Allow in a profile what was denied under it, as narrowly as it was seen.

    Shows each call with its reason and the change of the file, and asks before it writes. The file
    keeps its comments, order and layout. A dangerous call is asked for by itself; a call that the
    engine's default profile denies, or a rule of this one, is left out, and the option that allows
    it is named. Where a source has no arguments (audit lines), the call is offered whole.

    --container without a file watches the running container, until ctrl-C, its end or --for, and
    asks then; that takes root, as `seclatch watch` does.

    Of a trial profile (`seclatch profile audit`) the logged calls count, and --enforce turns it
    into the enforcing one once nothing new was logged for --quiet-for.

    \b
    Examples:
      seclatch amend app.json --container web --for 10min
      seclatch amend app.json --from staging.recording.json
      seclatch amend app.json --watch-log denials.log --container web --dry-run
      seclatch amend app.json --watch-log denials.log --ignore ptrace,'socket(AF_ALG)'
      seclatch amend trial.json --watch-log denials.log --enforce --quiet-for 24h -o app.json
    """
    from seclatch.cli.amend.amendment_output import (
        AmendmentResult,
        confirm,
        encode_amendment,
        print_amendment,
    )
    from seclatch.cli.amend.make_amendment import amend_profile, enforce_profile

    if as_json and not (options["yes"] or options["dry_run"]):
        raise click.UsageError("--json asks nothing: give --yes or --dry-run too")
    amended, sources = _read_inputs(profile, options)
    chosen = _choose(amended, profile, options)
    result = AmendmentResult()
    amend_profile(amended, sources, chosen, options, result)
    if options["enforce"]:
        enforce_profile(amended, sources, chosen, options, result)
    place = output or profile
    if not as_json:
        print_amendment(amended, result)
    changed = result.text != amended.text
    if changed and not (options["yes"] or options["dry_run"]) and not confirm(f"Write {place}?"):
        print_warnings("amend", ["nothing was written"])
        click.get_current_context().exit(1)
    if not options["dry_run"]:
        result.written = _write(amended, chosen, result.text, place)
    if as_json:
        click.echo(encode_amendment(amended, result, sources, enforced=options["enforce"]))


def _read_inputs(path: Path, options: dict[str, Any]) -> tuple[AmendedProfile, DenialSources]:
    from seclatch.cli.amend.live_denials import watch_denials
    from seclatch.profile.amend.denial_log_file import read_denial_log
    from seclatch.profile.amend.plan_amendment import AmendedProfile
    from seclatch.profile.amend.select_denials import DenialSources, select_container
    from seclatch.profile.parse.profile_source import read_source
    from seclatch.recording.files.recording_file import read_recording

    recordings, logs = options["recordings"], options["logs"]
    live = options["container"] and (options["watched_for"] or not (recordings or logs))
    if not (live or recordings or logs or options["ignore"] or options["enforce"]):
        raise click.UsageError("give --from RECORDING, --watch-log FILE or --container NAME")
    if options["watched_for"] is not None and not options["container"]:
        raise click.UsageError("--for is of no use without --container")
    if not options["enforce"] and options["action"]:
        raise click.UsageError("--action is of no use without --enforce")
    source = read_source(path)
    if source.is_program:
        raise click.UsageError(f"{path} is a BPF program: only JSON and YAML are edited in place")
    profile = AmendedProfile.read(source.text(), str(path), host_from(options))
    sources = DenialSources(
        {str(each): read_recording(each) for each in recordings},
        [read_denial_log(each) for each in logs],
    )
    if recordings or logs or not live:
        select_container(sources, options["container"], options["image"])
    if live:
        sources.logs.append(watch_denials(path, options["container"], options["watched_for"]))
    return profile, sources


def _choose(profile: AmendedProfile, path: Path, options: dict[str, Any]) -> ProposalOptions:
    """Read what is ignored, with what --ignore adds, and the limit."""
    from seclatch.profile.amend.ignored_denials import SUFFIX, read_ignored
    from seclatch.profile.amend.plan_amendment import find_limit
    from seclatch.profile.amend.propose_rules import ProposalOptions

    file = options["ignore_file"] or path.with_name(f"{path.name}{SUFFIX}")
    try:
        ignored = read_ignored(file, profile.host.arch)
        ignored = ignored.extend(options["ignore"], profile.host.arch)
    except ValueError as error:
        raise click.UsageError(f"--ignore: {error}") from error
    return ProposalOptions(
        limit=find_limit(profile.host),
        ignored=ignored,
        wider=frozenset(options["wider"]),
        overrule=frozenset(options["overrule"]),
    )


def _write(profile: AmendedProfile, chosen: ProposalOptions, text: str, place: Path) -> str:
    """Write the files that changed, unless another process changed the profile meanwhile."""
    from seclatch.profile.parse.profile_source import read_source

    if read_source(Path(profile.name)).text() != profile.text:
        raise SeclatchError(
            f"{profile.name} was changed by another process at this moment: nothing was written",
            remedy="run the command again",
        )
    if chosen.ignored.changed:
        write_result(chosen.ignored.text, chosen.ignored.path)
        print_warnings("amend", [f"wrote {chosen.ignored.path}"])
    if text == profile.text and place == Path(profile.name):
        return ""
    write_result(text, place)
    print_warnings("amend", [f"wrote {place}"])
    return str(place)
