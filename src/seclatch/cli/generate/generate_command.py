"""The command line of `seclatch generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seclatch.cli.generate.generate_inputs import (
    join_inputs,
    load_base,
    read_recordings,
    refuse_idle_options,
)
from seclatch.cli.generate.generated_output import (
    add_architecture,
    assemble,
    log_denied_calls,
    make_document,
    print_differences,
)
from seclatch.cli.shared.call_names import parse_calls
from seclatch.cli.shared.recording_options import no_sessions_option
from seclatch.cli.shared.result_output import print_warnings, write_result
from seclatch.output.printable_text import make_printable

_FORMATS = ("docker", "containers-common", "oci", "kubernetes", "systemd")
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
    from seclatch.model.stage import Stage
    from seclatch.profile.export.formats import write
    from seclatch.profile.generate.assemble_profile import AssemblyOptions
    from seclatch.profile.generate.complete_profile import log_instead
    from seclatch.profile.generate.explain_profile import explain_profile, list_reasons
    from seclatch.profile.generate.generate_profile import GeneratorOptions
    from seclatch.profile.generate.join_scan import JoinPolicy

    refuse_idle_options(scan_file, role, phase)
    form = _ALSO.get(form, form)
    running = phase == "running"
    read = read_recordings(files, container, sessions=not no_sessions, marked=running)
    inputs = join_inputs(read, scan_file, any_image=any_image)
    audit = options.pop("audit")
    options["no_stub"] = options["no_stub"] and not audit
    generator = GeneratorOptions(
        first=Stage(first), base=load_base(base, form), running=running, **options
    )
    choice = AssemblyOptions(
        generator, inputs.scan, JoinPolicy(policy), exact, any_args, role or "", allow, wider
    )
    done = assemble(inputs, choice)
    print_warnings("generate", done.warnings)
    if differences and done.joined:
        print_differences(done.joined)
    profile = add_architecture(done.profile, also, form) if also else done.profile
    if audit:
        profile = log_instead(profile)
    if log_denials:
        profile = log_denied_calls(profile, inputs.recordings)
    written = write(profile, form)
    print_warnings("generate", written.warnings)
    if tell_reasons or as_json:
        reasons = explain_profile(done, inputs.recordings, inputs.scan)
        for line in list_reasons(reasons) if tell_reasons else ():
            click.echo(make_printable(line), err=True)
        if as_json:
            write_result(make_document(written.text, form, done.warnings, reasons), output)
            return
    write_result(written.text, output)
