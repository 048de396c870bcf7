"""`seclatch generate`: a profile from recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seclatch.cli.shared.call_names import parse_calls
from seclatch.cli.shared.recording_options import no_sessions_option
from seclatch.cli.shared.result_output import print_warnings, write_result
from seclatch.output.printable_text import make_printable

if TYPE_CHECKING:
    from seclatch.model.profile.profile import Profile
    from seclatch.model.profile.profile_reasons import ProfileReasons
    from seclatch.model.recording.recording import Recording
    from seclatch.model.scan import Scan
    from seclatch.profile.generate.assemble_profile import AssembledProfile, AssemblyOptions
    from seclatch.profile.generate.join_scan import JoinedProfile

_FORMATS = ("docker", "containers-common", "oci", "kubernetes", "systemd")
SCHEMA = "seclatch.generate/1"
_ALSO = {"podman": "containers-common", "spo": "kubernetes"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--from",
    "first",
    type=click.Choice(["init", "filtered-init", "program"]),
    default="program",
    show_default=True,
    help="The stage from which on calls are allowed.",
)
@click.option(
    "--phase",
    type=click.Choice(["all", "running"]),
    default="all",
    show_default=True,
    help="running: only what was made after the ready mark, for `seclatch tighten`.",
)
@click.option(
    "--role",
    metavar="ROLE",
    help="With --phase running: of main or worker processes (of PROGRAM:worker), for `tighten "
    "--profile ROLE=FILE`.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([*_FORMATS, *_ALSO]),
    default="docker",
    show_default=True,
    help="The profile's format; podman is containers-common, spo is kubernetes.",
)
@click.option(
    "--plain",
    type=click.Choice(["runc", "crun"]),
    help="For this runtime without the latch: with what the runtime itself needs.",
)
@click.option(
    "--base",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="PROFILE",
    help="Add missing calls to this profile; calls that a rule of it denies stay denied.",
)
@click.option(
    "--args",
    "narrow",
    is_flag=True,
    help="Allow recorded arguments alone, with a scan its constants too: no others, even harmless.",
)
@click.option(
    "--any-args",
    is_flag=True,
    help="Limit no arguments: allow those too that were never recorded and are not harmless.",
)
@click.option(
    "--portable", is_flag=True, help="Allow what other C libraries and architectures use instead."
)
@click.option("--refuse-clone3", is_flag=True, help="Answer clone3 with ENOSYS; allow clone.")
@click.option(
    "--no-stub",
    is_flag=True,
    help="Name recent calls too: runc answers ENOSYS to calls newer than those named.",
)
@click.option(
    "--scan",
    "scan_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Allow too what `seclatch scan -o FILE` found, as --policy says.",
)
@click.option(
    "--any-image",
    is_flag=True,
    help="Take recordings and scans of different images or containers as of one.",
)
@click.option(
    "--container",
    metavar="NAME|ID",
    help="Only what is of the container of this name in its pod, or of this id.",
)
@no_sessions_option
@click.option(
    "--policy",
    type=click.Choice(["recorded", "recorded+plausible", "static"]),
    default="recorded+plausible",
    show_default=True,
    help="Of a scan's calls that were never recorded: none, those that are not dangerous, all.",
)
@click.option(
    "--differences", is_flag=True, help="List on stderr what recording and scan differ in, and why."
)
@click.option(
    "--also",
    metavar="ARCH",
    help="For this architecture too (aarch64, x86_64, riscv64), with what libraries use there.",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Without calls that are harmless for a program that makes related ones.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="CALL",
    callback=parse_calls,
    help="Allow this call, though no recording made it; may be given again.",
)
@click.option(
    "--wider",
    multiple=True,
    metavar="CALL",
    callback=parse_calls,
    help="Allow this call, though the recorded container's profile denies it; may be given again.",
)
@click.option("--audit", is_flag=True, help="Log what is not allowed, for a trial.")
@click.option(
    "--log-denials",
    is_flag=True,
    help="Have the kernel log denials, for `watch --cheap` (profile flags; not with runc before "
    "1.2).",
)
@click.option(
    "--reasons",
    "tell_reasons",
    is_flag=True,
    help="List on stderr why each call is in or not.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="The profile with all reasons, schema generate/1."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write there instead of to standard output.",
)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
def command(
    first: str,
    phase: str,
    role: str | None,
    form: str,
    base: Path | None,
    output: Path | None,
    files: tuple[Path, ...],
    scan_file: Path | None,
    any_image: bool,
    container: str | None,
    no_sessions: bool,
    policy: str,
    differences: bool,
    also: str | None,
    exact: bool,
    any_args: bool,
    allow: tuple[str, ...],
    wider: tuple[str, ...],
    log_denials: bool,
    tell_reasons: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Make a profile that allows the recorded calls, each rule with its source.

    The profile is for the latch: it has the program's calls and none of the runtime's. What was
    denied while recording stays denied, and so does all else that the container's profile denied
    (without one: the engine's default), which is reported on stderr. Calls that are harmless for
    such a program, and those that no process can do without, are allowed too. With --base the
    result is PROFILE and what was recorded, and nothing of this. With --phase running it is for a
    program that has started: calls that it made only before it was ready are left out, unless they
    are harmless, and what was seen and what never is reported.

    Arguments that are not harmless are allowed only where they were recorded; with a scan that
    knows all constants of an argument, of the harmless ones those alone. --any-args switches both
    off.

    \b
    Examples:
      seclatch generate nginx.recording.json > nginx.json
      seclatch generate --portable --args run-*.recording.json -o nginx.json
      seclatch generate --plain runc nginx.recording.json > plain.json
      seclatch generate --base default.json nginx.recording.json > more.json
      seclatch generate --also aarch64 nginx.recording.json > both.json
      seclatch scan --recording nginx.recording.json -o nginx.scan.json nginx:latest
      seclatch generate --scan nginx.scan.json nginx.recording.json > nginx.json
      seclatch generate --container web --no-sessions recordings/*.json.gz > web.json
      seclatch generate --phase running nginx.recording.json > running.json
      seclatch generate --phase running --role worker nginx.recording.json > worker.json
      seclatch generate --scan nginx.scan.json --allow execve nginx.recording.json > nginx.json
    """
    from seclatch.profile.export.formats import write
    from seclatch.profile.generate.complete_profile import log_instead
    from seclatch.profile.generate.explain_profile import explain_profile, list_reasons
    from seclatch.profile.generate.match_inputs import require_one_architecture, require_one_image

    _refuse_idle(scan_file, role, phase)
    form = _ALSO.get(form, form)
    read = _read(files, container, no_sessions)
    files, recordings = tuple(read), list(read.values())
    _require_marks(read, phase)
    audit = options.pop("audit")
    options["no_stub"] = options["no_stub"] and not audit
    scan = _read_scan(scan_file) if scan_file else None
    named = dict(zip(map(str, files), recordings, strict=True))
    require_one_architecture(named, scan, str(scan_file))
    if not any_image:
        require_one_image(named, scan, str(scan_file))
    options["running"] = phase == "running"
    choice = _choose(options, first, _load(base, form), scan, policy)
    choice = replace(choice, exact=exact, any_args=any_args, allow=allow, wider=wider)
    choice = replace(choice, role=role or "")
    done = _assemble(files, recordings, choice)
    print_warnings("generate", done.warnings)
    if differences and done.joined:
        _tell_differences(done.joined)
    profile = _for_both(done.profile, also, form) if also else done.profile
    if audit:
        profile = log_instead(profile)
    if log_denials:
        profile = _log_denials(profile, recordings)
    written = write(profile, form)
    print_warnings("generate", written.warnings)
    if tell_reasons or as_json:
        reasons = explain_profile(done, recordings, scan)
        for line in list_reasons(reasons) if tell_reasons else ():
            click.echo(make_printable(line), err=True)
        if as_json:
            write_result(_make_document(written.text, form, done.warnings, reasons), output)
            return
    write_result(written.text, output)


def _log_denials(profile: Profile, recordings: list[Recording]) -> Profile:
    from seclatch.profile.generate.log_denials import add_log_flags, list_refusing_runtimes

    print_warnings("generate", list_refusing_runtimes(recordings))
    return add_log_flags(profile)


def _make_document(text: str, form: str, warnings: list[str], reasons: ProfileReasons) -> str:
    import json

    import msgspec

    document = {
        "schema": SCHEMA,
        "format": form,
        "profile": json.loads(text) if text.startswith("{") else text,
        "warnings": warnings,
        **msgspec.to_builtins(reasons),
    }
    return json.dumps(document, indent=1) + "\n"


def _refuse_idle(scan_file: Path | None, role: str | None, phase: str) -> None:
    """Raise click.UsageError for options that would do nothing, or contradict each other."""
    if role and phase != "running":
        raise click.UsageError("--role is of no use without --phase running")
    context = click.get_current_context()
    if context.params["narrow"] and context.params["any_args"]:
        raise click.UsageError("--args limits arguments, --any-args limits none: give one of them")
    for name in () if scan_file else ("policy", "differences"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} is of no use without --scan FILE")


def _load(base: Path | None, form: str) -> Profile | None:
    from seclatch.errors import SeclatchError
    from seclatch.profile.export.formats import has_conditions
    from seclatch.profile.parse.load_profile import load_profile
    from seclatch.profile.profile_input import require_default_action

    profile = require_default_action(load_profile(base), str(base)) if base else None
    if profile and profile.conditional and not has_conditions(form):
        raise SeclatchError(
            f"{base}: its rules are for some hosts or capabilities only, which {form} cannot say",
            remedy="resolve it first (`seclatch profile resolve`), or give --format docker",
            status=2,
        )
    return profile


def _read(
    files: tuple[Path, ...], container: str | None, no_sessions: bool
) -> dict[Path, Recording]:
    from seclatch.recording.files.select_recordings import read_selected

    return read_selected(files, container or "", sessions=not no_sessions)


def _require_marks(recordings: dict[Path, Recording], phase: str) -> None:
    from seclatch.errors import InputError

    for path, recording in recordings.items() if phase == "running" else ():
        if recording.ready is None:
            raise InputError(
                str(path),
                "ready",
                "no mark: it does not say when the program was ready",
                remedy="record with --ready CONDITION, or mark it while it is recorded: "
                "`seclatch record mark`",
            )


def _choose(
    options: dict[str, Any],
    first: str,
    base: Profile | None,
    scan: Scan | None,
    policy: str,
) -> AssemblyOptions:
    from seclatch.model.stage import Stage
    from seclatch.profile.generate.assemble_profile import AssemblyOptions
    from seclatch.profile.generate.generate_profile import GeneratorOptions
    from seclatch.profile.generate.join_scan import JoinPolicy

    generator = GeneratorOptions(first=Stage(first), base=base, **options)
    return AssemblyOptions(generator, scan, JoinPolicy(policy))


def _assemble(
    files: tuple[Path, ...], recordings: list[Recording], choice: AssemblyOptions
) -> AssembledProfile:
    from seclatch.errors import InputError
    from seclatch.profile.generate.assemble_profile import assemble_profile

    try:
        return assemble_profile(recordings, choice)
    except ValueError as error:
        raise InputError(
            ", ".join(map(str, files)), "", str(error), remedy="record a start that succeeds"
        ) from error


def _for_both(profile: Profile, also: str, form: str) -> Profile:
    from seclatch.model.arch import Arch
    from seclatch.profile.export.formats import has_conditions
    from seclatch.profile.generate import port_profile

    if not has_conditions(form):
        raise click.UsageError(f"{form} cannot say for which architecture a rule is")
    try:
        target = Arch.parse(also)
        source = next(arch for arch in profile.architectures if arch in port_profile.TARGETS)
        if target not in port_profile.TARGETS or source is target:
            raise ValueError(f"a profile for {source.title} cannot be made one for {also} too")
        ported = port_profile.combine_architectures(profile, source, target)
    except (ValueError, StopIteration) as error:
        raise click.UsageError(f"--also: {error or 'made on an architecture not known'}") from error
    print_warnings("generate", map(str, ported.changes))
    return ported.profile


def _read_scan(file: Path) -> Scan:
    from seclatch.scan import scan_document

    return scan_document.read_scan(file)


def _tell_differences(joined: JoinedProfile) -> None:
    from seclatch.profile.generate.join_scan import JoinVerdict

    for row in joined.rows:
        if row.verdict is not JoinVerdict.RECORDED:
            chain = f"  ({' → '.join(row.chain)})" if row.chain else ""
            click.echo(make_printable(f"{row.name}: {row.verdict.value}{chain}"), err=True)
