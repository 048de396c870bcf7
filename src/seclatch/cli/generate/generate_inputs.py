"""Read the files of `seclatch generate`: recordings, a scan, a base profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seclatch.errors import InputError, SeclatchError

if TYPE_CHECKING:
    from seclatch.model.profile.profile import Profile
    from seclatch.model.recording.recording import Recording
    from seclatch.model.scan import Scan


@dataclass(frozen=True, slots=True)
class GenerateInputs:
    """Recordings by their files, and a scan."""

    named: Mapping[Path, Recording]
    scan: Scan | None

    @property
    def recordings(self) -> list[Recording]:
        """The recordings, in the order of the files."""
        return list(self.named.values())


def refuse_idle_options(scan_file: Path | None, role: str | None, phase: str) -> None:
    """Raise click.UsageError for options that would do nothing, or contradict each other."""
    if role and phase != "running":
        raise click.UsageError("--role is of no use without --phase running")
    context = click.get_current_context()
    if context.params["narrow"] and context.params["any_args"]:
        raise click.UsageError("--args limits arguments, --any-args limits none: give one of them")
    for name in () if scan_file else ("policy", "differences"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} is of no use without --scan FILE")


def read_recordings(
    files: tuple[Path, ...], container: str | None, *, sessions: bool, marked: bool
) -> dict[Path, Recording]:
    """Read what is of this container; `marked`: each must have a ready mark."""
    from seclatch.recording.files.select_recordings import read_selected

    found = read_selected(files, container or "", sessions=sessions)
    for path, recording in found.items() if marked else ():
        if recording.ready is None:
            raise InputError(
                str(path),
                "ready",
                "no mark: it does not say when the program was ready",
                remedy="record with --ready CONDITION, or mark it while it is recorded: "
                "`seclatch record mark`",
            )
    return found


def join_inputs(
    recordings: Mapping[Path, Recording], scan_file: Path | None, *, any_image: bool
) -> GenerateInputs:
    """Read the scan, and require that it and the recordings are of one program's image."""
    from seclatch.profile.generate.match_inputs import require_one_architecture, require_one_image

    scan = _read_scan(scan_file) if scan_file else None
    named = {str(path): recording for path, recording in recordings.items()}
    require_one_architecture(named, scan, str(scan_file))
    if not any_image:
        require_one_image(named, scan, str(scan_file))
    return GenerateInputs(recordings, scan)


def _read_scan(file: Path) -> Scan:
    from seclatch.scan import scan_document

    return scan_document.read_scan(file)


def load_base(base: Path | None, form: str) -> Profile | None:
    """Load the profile that calls are added to. Raises SeclatchError if `form` cannot hold it."""
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
