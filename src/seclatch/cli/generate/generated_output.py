"""Make the result of `seclatch generate` from recordings, and the documents that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from seclatch.cli.shared.result_output import print_warnings
from seclatch.output.printable_text import make_printable

if TYPE_CHECKING:
    from seclatch.cli.generate.generate_inputs import GenerateInputs
    from seclatch.model.profile.profile import Profile
    from seclatch.model.profile.profile_reasons import ProfileReasons
    from seclatch.model.recording.recording import Recording
    from seclatch.profile.generate.assemble_profile import AssembledProfile, AssemblyOptions
    from seclatch.profile.generate.join_scan import JoinedProfile

SCHEMA = "seclatch.generate/1"


def assemble(inputs: GenerateInputs, options: AssemblyOptions) -> AssembledProfile:
    """Make the profile. Raises InputError for recordings that none can be made of."""
    from seclatch.errors import InputError
    from seclatch.profile.generate.assemble_profile import assemble_profile

    try:
        return assemble_profile(inputs.recordings, options)
    except ValueError as error:
        raise InputError(
            ", ".join(map(str, inputs.named)),
            "",
            str(error),
            remedy="record a start that succeeds",
        ) from error


def add_architecture(profile: Profile, also: str, form: str) -> Profile:
    """Add to the profile what libraries use on another architecture; print what was changed."""
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


def log_denied_calls(profile: Profile, recordings: list[Recording]) -> Profile:
    """Have the kernel log denials; print which recorded runtimes refuse that."""
    from seclatch.profile.generate.log_denials import add_log_flags, list_refusing_runtimes

    print_warnings("generate", list_refusing_runtimes(recordings))
    return add_log_flags(profile)


def print_differences(joined: JoinedProfile) -> None:
    """Print in what the recordings and the scan differ, with the chain of functions."""
    from seclatch.profile.generate.join_scan import JoinVerdict

    for row in joined.rows:
        if row.verdict is not JoinVerdict.RECORDED:
            chain = f"  ({' → '.join(row.chain)})" if row.chain else ""
            click.echo(make_printable(f"{row.name}: {row.verdict.value}{chain}"), err=True)


def make_document(text: str, form: str, warnings: list[str], reasons: ProfileReasons) -> str:
    """Return the document of --json: the profile, warnings, and the reason of each call."""
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
