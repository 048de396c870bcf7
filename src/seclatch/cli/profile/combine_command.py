"""What `merge` and `intersect` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.profile_options import host_from, read_given_profile
from seclatch.cli.shared.result_output import print_warnings, write_result
from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Profile
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.export.formats import write
from seclatch.profile.meaning.libseccomp_deviation import find_deviations
from seclatch.profile.meaning.merge_profiles import CombinedProfile

Operation = Callable[[Profile, Profile, Arch], CombinedProfile]


def combine_files(
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
    combined = read_given_profile(first, host).profile
    for file in others:
        result = operation(combined, read_given_profile(file, host).profile, host.arch)
        print_warnings(str(file), result.warnings)
        combined = result.profile
    print_warnings("result", _wrongly(combined, host.arch))
    written = write(combined, form)
    print_warnings("result", written.warnings)
    write_result(written.text, output)


def _wrongly(profile: Profile, native: Arch) -> Iterator[str]:
    """Where this machine's libseccomp makes something else of what is exact as rules."""
    try:
        program = compile_profile(profile, runtime=Runtime.LIBSECCOMP, native=native)
    except SeclatchError:
        return  # not there; or `compile` says why no runtime takes it
    code = Filter.from_bytes(program.code, "little" if native.little else "big")
    for call, _, said, made in find_deviations(profile, native, code):
        yield (
            f"{call} ({call.arch.title}): for some arguments libseccomp {program.libseccomp} makes "
            f"{made} of {said}: see `seclatch profile check`"
        )
