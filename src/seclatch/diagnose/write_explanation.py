"""Render an explanation as JSON, or as text for the terminal, and write it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click
import msgspec

from seclatch.errors import SeclatchError
from seclatch.model.explanation import Explanation
from seclatch.output.ascii_fallback import ERRORS
from seclatch.output.result_file import find_obstacle, replace_file
from seclatch.report.explanation_text import show_explanation

_REMEDY = "give another file, in a directory that can be written to"


def render_explanation(
    explanation: Explanation, *, as_json: bool, terminal: bool, encoding: str = "utf-8"
) -> bytes:
    """Return the output; colours only for a terminal, unless NO_COLOR is set."""
    if as_json:
        return msgspec.json.format(msgspec.json.encode(explanation), indent=2) + b"\n"
    width = shutil.get_terminal_size((100, 24)).columns
    text = show_explanation(msgspec.to_builtins(explanation), width)
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
