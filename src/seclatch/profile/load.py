"""Read a profile from a file: Docker's, OCI's and containers-common's JSON, Kubernetes' YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seclatch.errors import InputError
from seclatch.model.profile import Profile
from seclatch.profile import place
from seclatch.profile.interpret import interpret
from seclatch.profile.wire import convert

MAX_SIZE = 8 << 20
"""Bytes. Docker's default profile has 16 KB, the biggest known ones some hundred."""


def load(path: Path) -> Profile:
    """Read and validate the profile in `path`.

    Raises InputError that names the file, the place in it and the rule that is broken.
    """
    return parse(read(path), str(path))


def read(path: Path) -> str:
    """The file's text, if it is one of sane size."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise InputError(str(path), "", f"cannot read it: {error.strerror}") from error
    if len(data) > MAX_SIZE:
        raise InputError(str(path), "", f"larger than {MAX_SIZE >> 20} MiB: not a profile")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), f"byte {error.start}", "not UTF-8 text") from error


def parse(text: str, source: str) -> Profile:
    """Validate a profile's text; `source` names it in errors. JSON, or YAML if it is no JSON."""
    if not text.lstrip().startswith(("{", "[")):
        from seclatch.profile import kubernetes  # noqa: PLC0415  (YAML is rare and slow to import)

        return kubernetes.parse(text, source)
    document = decode(text, source)
    inner, prefix = enter(document)
    try:
        return interpret(convert(inner))
    except place.FormatError as problem:
        where = place.locate(text, (*prefix, *problem.path))
        raise InputError(source, str(where), problem.rule, remedy=problem.remedy) from problem


def decode(text: str, source: str) -> Any:
    """JSON to plain values, or an error at its line and column."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = place.Place((), error.lineno, error.colno)
        raise InputError(source, str(where), f"not JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # too deep; NaN; a number of 5000 digits
        raise InputError(source, "", f"not JSON that a profile can have: {error}") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def enter(document: Any) -> tuple[Any, place.Path]:
    """Find `linux.seccomp` in a config.json; anything else is the profile itself."""
    if isinstance(document, dict) and "linux" in document and "defaultAction" not in document:
        linux = document["linux"]
        seccomp = linux.get("seccomp") if isinstance(linux, dict) else None
        return ({} if seccomp is None else seccomp), ("linux", "seccomp")
    return document, ()
