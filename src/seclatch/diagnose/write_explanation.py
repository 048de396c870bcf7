"""Render an explanation as JSON, or as text for the terminal, and write it."""

from __future__ import annotations

import os
import shutil
from enum import Enum
from pathlib import Path

import click
import msgspec

from seclatch.errors import SeclatchError
from seclatch.model.explanation import Explanation
from seclatch.output.ascii_fallback import ERRORS
from seclatch.output.result_file import find_obstacle, replace_file
from seclatch.report.explanation_text import show_explanation

_REMEDY = "give another file, in a directory that can be written to"


class OutputForm(Enum):
    """How an explanation is written: its first screen, all of it, or as JSON."""

    SHORT = "short"
    VERBOSE = "verbose"
    JSON = "json"


def choose_form(*, verbose: bool, as_json: bool) -> OutputForm:
    """Return the form that options ask for."""
    return OutputForm.JSON if as_json else OutputForm.VERBOSE if verbose else OutputForm.SHORT


def render_explanation(
    explanation: Explanation, form: OutputForm, *, terminal: bool, encoding: str = "utf-8"
) -> bytes:
    """Return the output; colours only for a terminal, unless NO_COLOR is set."""
    if form is OutputForm.JSON:
        return msgspec.json.format(msgspec.json.encode(explanation), indent=2) + b"\n"
    width = shutil.get_terminal_size((100, 24)).columns
    verbose = form is OutputForm.VERBOSE
    text = show_explanation(msgspec.to_builtins(explanation), width, verbose=verbose)
    if not terminal or os.environ.get("NO_COLOR"):
        text = click.unstyle(text)
    return text.encode(encoding, ERRORS)


def require_writable(path: Path) -> None:
    """Raise SeclatchError before the command runs, so that it need not be run twice."""
    if problem := find_obstacle(path):
        raise SeclatchError(f"{path} cannot be written to: {problem}", remedy=_REMEDY)


def write_explanation(path: Path, content: bytes) -> None:
    """Write the file atomically. Raises SeclatchError."""
    try:
        replace_file(path, content)
    except OSError as error:
        raise SeclatchError(
            f"writing the explanation {path}: {error.strerror}", remedy=_REMEDY
        ) from error


def write_fix(path: Path, explanation: Explanation) -> str:
    """Write the changed profile, and return what it changes. Raises SeclatchError if there is none.

    The file is replaced whole, or not at all.
    """
    if explanation.fix is None:
        raise SeclatchError(
            f"no profile was written to {path}: a change of its rules would not help here",
            remedy="see what the explanation says",
        )
    try:
        replace_file(path, explanation.fix.text.encode())
    except OSError as error:
        raise SeclatchError(
            f"writing the profile {path}: {error.strerror}", remedy=_REMEDY
        ) from error
    return explanation.fix.change
