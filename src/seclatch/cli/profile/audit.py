"""`seclatch profile audit`."""

from __future__ import annotations

from pathlib import Path

import click

from seclatch.cli.shared.profile_options import FILE
from seclatch.cli.shared.result_output import print_warnings, write_result
from seclatch.errors import InputError
from seclatch.model.arch import Arch
from seclatch.profile.amend.trial_profile import DENY, make_trial, require_same_calls
from seclatch.profile.compile.resolve_profile import Host, narrow_profile
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.profile.parse.profile_source import read_source


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=FILE)
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
def command(file: Path, output: Path | None) -> None:
    """Write the same profile for a trial: it logs what FILE denies.

    The kernel makes the call and logs it (SCMP_ACT_LOG); `seclatch watch` shows it. Rules that
    answer ENOSYS stay, so that programs use the same calls as under FILE. Comments, order and
    layout stay too. `seclatch amend` allows what was logged, and --enforce turns it back.

    \b
    Examples:
      seclatch profile audit app.json -o trial.json
      seclatch amend trial.json --watch-log denials.log --enforce -o app.json
    """
    source = read_source(file)
    if source.is_program:
        raise InputError(source.name, "", "a BPF program has no text to edit", remedy="give JSON")
    trial = make_trial(source.text(), source.name)
    native = Arch.native()
    host = Host(native, kernel=(255, 255))
    before, after = (
        narrow_profile(parse_profile(text, source.name), host)
        for text in (source.text(), trial.text)
    )
    require_same_calls(before, after, native, source.name)
    if trial.default not in (DENY,) and not trial.default.kind.executes:
        print_warnings(
            "audit",
            [
                f"the default action was {trial.default}: to restore it, give `seclatch amend "
                f"--enforce --action '{trial.default}'`"
            ],
        )
    write_result(trial.text, output)
