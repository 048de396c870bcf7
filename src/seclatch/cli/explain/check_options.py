"""Check the options of `seclatch explain` against each other, before anything runs."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click


def require_one_subject(args: Sequence[str], subjects: Mapping[str, object]) -> None:
    """Require a command or one of these options, and no option that is of no use with it.

    Raises click.UsageError.
    """
    given = [option for option, value in subjects.items() if value not in (None, False)]
    if bool(args) + len(given) != 1:
        raise click.UsageError(f"give one of: a command, {', '.join(subjects)}")
    of_profile = {"runtime": "--runtime", "no_new_privs": "--no-new-privs"}
    idle = {"seconds": "--seconds"} if {"--profile FILE", "--pod"} & set(given) else {}
    idle = idle if "--profile FILE" in given else idle | of_profile
    for name, option in idle.items():
        if _is_given(name):
            without = "a command" if name == "seconds" else "--profile FILE"
            raise click.UsageError(f"{option} is of no use without {without}")


def require_a_number(seconds: float | None) -> None:
    """Refuse NaN, which click.FloatRange accepts."""
    if seconds is not None and math.isnan(seconds):
        raise click.UsageError("--seconds: not a number")


def require_distinct_files(files: Sequence[Path | None]) -> None:
    """Raise click.UsageError for a file that would be written twice."""
    # Not by Path.resolve, which raises for a link to itself.
    places = [os.path.realpath(each) for each in files if each]
    for file, place in zip([each for each in files if each], places, strict=True):
        if places.count(place) > 1 and place != os.devnull:
            raise click.UsageError(
                f"{file} can hold one of explanation, recording, profile: not both"
            )


def refuse_idle_options(args: Sequence[str], **options: object) -> None:
    """Raise click.UsageError for an option without the one that it goes with."""
    if options["name"] and not options["waits"]:
        raise click.UsageError("--name is of no use without --next")
    if options["verbose"] and options["as_json"]:
        raise click.UsageError("--verbose is of no use with --json, which has all")
    if options["log"] and not options["pod"]:
        raise click.UsageError("--log is of no use without --pod")
    if _is_given("confirm") and not args:
        raise click.UsageError("--confirm is of no use without a command")


def _is_given(name: str) -> bool:
    """Return whether the user gave this option, be it with its default."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE
