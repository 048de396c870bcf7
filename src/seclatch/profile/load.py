"""Read a profile from a file: Docker's, OCI's and containers-common's JSON, Kubernetes' YAML."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seclatch.errors import InputError
from seclatch.model.profile import Profile
from seclatch.profile import place, wire
from seclatch.profile.interpret import interpret
from seclatch.profile.wire import convert

MAX_SIZE = 2 << 20
"""Bytes. Docker's default profile has 16 KB, the biggest known ones some hundred."""


@dataclass(frozen=True, slots=True)
class Document:
    """A profile with the file's own shape, for what is said about places in it.

    `raw` is the profile's object as plain values; `locate` finds the place of a path within it.
    """

    profile: Profile
    raw: dict[str, Any]
    locate: Callable[[place.Path], place.Place]


def load(path: Path) -> Profile:
    """Read and validate the profile in `path`.

    Raises InputError that names the file, the place in it and the rule that is broken.
    """
    return parse(read(path), str(path))


def parse(text: str, source: str) -> Profile:
    """Validate a profile's text; `source` names it in errors. JSON, or YAML if it is no JSON."""
    return parse_document(text, source).profile


def parse_document(text: str, source: str) -> Document:
    """Like `parse`, and keeps what is needed to point at places."""
    document = decode(text, source) if text.lstrip().startswith(("{", "[")) else None
    if document is None or (isinstance(document, dict) and document.get("kind")):
        from seclatch.profile import kubernetes  # noqa: PLC0415  (rare and slow to import)

        raw, locate = kubernetes.read(text, source)
    else:
        raw, prefix = enter(document)
        locator = place.Locator(text)

        def locate(path: place.Path) -> place.Place:
            return locator.place((*prefix, *path))

    try:
        check_keys(raw)
        return Document(interpret(convert(raw)), raw, locate)
    except place.FormatError as problem:
        where = locate(problem.path)
        raise InputError(source, str(where), problem.rule, remedy=problem.remedy) from problem


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


def decode(text: str, source: str) -> Any:
    """JSON to plain values, or an error at its line and column."""
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except _RepeatedKeyError as error:
        key, where = place.repeated(text) or (str(error), "")
        rule = f"the key {key!r} occurs twice: readers differ in which of the two counts"
        raise InputError(source, str(where), rule, remedy="remove one of them") from error
    except json.JSONDecodeError as error:
        where = place.Place((), error.lineno, error.colno)
        raise InputError(source, str(where), f"not JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # too deep; NaN; a number of 5000 digits
        raise InputError(source, "", f"not JSON that a profile can have: {error}") from error


class _RepeatedKeyError(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _RepeatedKeyError
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def check_keys(raw: Any) -> None:
    """Refuse what is no profile at all, and keys that one reader takes and another does not."""
    known = {key.lower(): key for key in wire.Seccomp.__struct_encode_fields__}
    if not isinstance(raw, dict) or not raw:
        return
    if not any(key.lower() in known for key in raw):
        raise place.FormatError((), "none of a profile's keys is there: not a profile")
    _check_case(raw, known, ())
    rule_keys = {key.lower(): key for key in wire.Syscall.__struct_encode_fields__}
    rules = raw.get("syscalls")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, dict):
            _check_case(rule, rule_keys, ("syscalls", index))


def _check_case(table: dict[str, Any], known: dict[str, str], path: place.Path) -> None:
    """Go's JSON reader folds case, so Docker, Podman and runc read such keys; crun does not."""
    for key in table:
        right = known.get(key.lower(), key)
        if key != right:
            rule = f"the key {key!r}: Docker and runc read it as {right!r}, crun passes over it"
            raise place.FormatError((*path, key), rule, f"write {right!r}")


def enter(document: Any) -> tuple[Any, place.Path]:
    """Find `linux.seccomp` in a config.json; anything else is the profile itself."""
    if isinstance(document, dict) and "linux" in document and "defaultAction" not in document:
        linux = document["linux"]
        seccomp = linux.get("seccomp") if isinstance(linux, dict) else None
        return ({} if seccomp is None else seccomp), ("linux", "seccomp")
    return document, ()
