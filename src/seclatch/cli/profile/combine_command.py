"""What `merge` and `intersect` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.profile_options import given, host_from
from seclatch.cli.shared.result_output import emit, warn
from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile import Profile
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.export.formats import write
from seclatch.profile.meaning.libseccomp_deviation import deviations
from seclatch.profile.meaning.merge_profiles import Combined

Operation = Callable[[Profile, Profile, Arch], Combined]


def combine(
    operation: Operation,
    files: tuple[Path, ...],
    form: str,
    output: Path | None,
    options: dict[str, Any],
) -> None:
    """Combine the files one after the other and write the result."""
    if len(files) < 2:
        raise click.UsageError("give at least two files")
    host = host_from(options)
    first, *others = files
    combined = given(first, host).profile
    for file in others:
        result = operation(combined, given(file, host).profile, host.arch)
        warn(str(file), result.warnings)
        combined = result.profile
    warn("result", _wrongly(combined, host.arch))
    written = write(combined, form)
    warn("result", written.warnings)
    emit(written.text, output)


def _wrongly(profile: Profile, native: Arch) -> Iterator[str]:
    """Where this machine's libseccomp makes something else of what is exact as rules."""
    try:
        program = compile_profile(profile, runtime=Runtime.LIBSECCOMP, native=native)
    except SeclatchError:
        return  # not there; or `compile` says why no runtime takes it
    code = Filter.from_bytes(program.code, "little" if native.little else "big")
    for call, _, said, made in deviations(profile, native, code):
        yield (
            f"{call} ({call.arch.title}): for some arguments libseccomp {program.libseccomp} makes "
            f"{made} of {said}: see `seclatch profile check`"
        )
