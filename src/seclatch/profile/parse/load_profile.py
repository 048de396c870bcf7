"""Read a profile from a file: Docker's, OCI's and containers-common's JSON, Kubernetes' YAML."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seclatch.model.document_kind import name_document
from seclatch.model.profile.profile import Profile
from seclatch.model.quoted_text import quote_text
from seclatch.profile.parse import json_shapes, profile_source, text_position
from seclatch.profile.parse.interpret_document import interpret_document
from seclatch.profile.parse.json_shapes import convert_shape

BYTE_ORDER_MARK = "\ufeff"
MAX_DEPTH = 64
"""Lists and objects within each other; a profile has 5, a config.json around it some more."""

Locate = Callable[[text_position.Path], text_position.TextPosition]


@dataclass(frozen=True, slots=True)
class ProfileDocument:
    """A profile with the file's own shape, for what is said about places in it.

    `raw` is the profile's object as plain values; `locate` finds the place of a path within it.
    `manifest` is what a Kubernetes manifest says beside it to the operator.
    """

    profile: Profile
    raw: dict[str, Any]
    locate: Locate
    manifest: dict[str, Any] = field(default_factory=dict)


def load_profile(path: Path) -> Profile:
    """Read and validate the profile in `path` (`-`: standard input).

    Raises InputError that names the file, the place in it and the rule that is broken.
    """
    file = profile_source.read_source(path)
    return parse_profile(file.text(), file.name)


def parse_profile(text: str, name: str) -> Profile:
    """Validate a profile's text; `name` is its own in errors. JSON, or YAML if it is no JSON."""
    return parse_document(text, name).profile


def parse_document(text: str, name: str) -> ProfileDocument:
    """Like `parse`, and keeps what is needed to point at places."""
    raw, manifest, locate = read_raw(text, name)
    try:
        check_keys(raw)
        return ProfileDocument(interpret_document(convert_shape(raw)), raw, locate, manifest)
    except text_position.FormatError as problem:
        raise make_placed_error(name, locate(problem.path), problem) from problem


def read_raw(text: str, name: str) -> tuple[Any, dict[str, Any], Locate]:
    """Read a text as plain values: the profile's object, the manifest around it, its places."""
    marked, text = text.startswith(BYTE_ORDER_MARK), text.removeprefix(BYTE_ORDER_MARK)
    is_json = text.lstrip().startswith(("{", "["))
    if is_json and marked:  # YAML may have one
        rule = "it starts with a byte order mark, at which engines and runtimes fail"
        raise text_position.PlacedError(
            name, text_position.TextPosition((), 1, 1), rule, remedy="save it without one"
        )
    document = decode_json(text, name) if is_json else None
    if document is None or (isinstance(document, dict) and document.get("kind")):
        from seclatch.profile.parse import kubernetes_document

        return kubernetes_document.read_manifest(text, name)
    locator = text_position.JsonLocator(text)
    try:
        raw, prefix = enter_document(document)
    except text_position.FormatError as problem:
        raise make_placed_error(name, locator.place(problem.path), problem) from problem

    def locate(path: text_position.Path) -> text_position.TextPosition:
        return locator.place((*prefix, *path))

    return raw, {}, locate


def make_placed_error(
    name: str, where: text_position.TextPosition, problem: text_position.FormatError
) -> text_position.PlacedError:
    """Make the error that names the file and the place."""
    return text_position.PlacedError(name, where, problem.rule, remedy=problem.remedy)


def decode_json(text: str, name: str) -> Any:
    """JSON to plain values, or an error at its line and column."""
    deep = text_position.too_deep(text, MAX_DEPTH)
    if deep:
        raise text_position.PlacedError(
            name, deep, f"nested more than {MAX_DEPTH} deep: not a profile"
        )
    try:
        return json.loads(
            text, parse_constant=_no_constant, parse_int=_int, object_pairs_hook=_once
        )
    except _RepeatedKeyError as error:
        key, first, second = text_position.find_repeated_key(text) or (
            "",
            text_position.TextPosition(),
            text_position.TextPosition(),
        )
        rule = (
            f"the key {quote_text(key)} occurs twice, first at {replace(first, path=())}: "
            "readers differ in which of the two counts"
        )
        raise text_position.PlacedError(name, second, rule, remedy="remove one of them") from error
    except json.JSONDecodeError as error:
        where = text_position.TextPosition((), error.lineno, error.colno)
        raise text_position.PlacedError(name, where, f"not JSON: {error.msg}") from error
    except ValueError as error:  # NaN; a number of 500 digits
        where = text_position.no_number(text)
        raise text_position.PlacedError(
            name, where, f"not JSON that a profile can have: {error}"
        ) from error


class _RepeatedKeyError(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _RepeatedKeyError
    return value


def _int(digits: str) -> int:
    many = len(digits.removeprefix("-"))
    if many > text_position.MAX_DIGITS:
        raise ValueError(f"a number of {many} digits")
    return int(digits)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def check_keys(raw: Any) -> None:
    """Refuse what is no profile at all, and keys that one reader takes and another does not."""
    known = {key.lower(): key for key in json_shapes.Seccomp.__struct_encode_fields__}
    if not isinstance(raw, dict) or not raw:
        return
    if not any(key.lower() in known for key in raw):
        what = name_document(raw)
        rule = f"not a profile{what and f', but {what}'}: none of a profile's keys is there"
        remedy = "`seclatch generate` makes one of a recording" if "schema" in raw else ""
        raise text_position.FormatError((), rule, remedy)
    _check_case(raw, known, ())
    rule_keys = {key.lower(): key for key in json_shapes.RuleShape.__struct_encode_fields__}
    rules = raw.get("syscalls")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, dict):
            _check_case(rule, rule_keys, ("syscalls", index))


def _check_case(table: dict[str, Any], known: dict[str, str], path: text_position.Path) -> None:
    """Go's JSON reader folds case, so Docker, Podman and runc read such keys; crun does not."""
    for key in table:
        right = known.get(key.lower(), key)
        if key != right:
            rule = f"the key {quote_text(key)}: Docker and runc read it as {right!r}, "
            rule += "crun passes over it"
            raise text_position.FormatError((*path, key), rule, f"write {right!r}")


def enter_document(document: Any) -> tuple[Any, text_position.Path]:
    """Find `linux.seccomp` in a config.json; anything else is the profile itself.

    A config.json without one stands for no seccomp, as the empty profile does.
    """
    if not isinstance(document, dict) or "linux" not in document or "defaultAction" in document:
        return document, ()
    linux = document["linux"]
    if linux is None:
        return {}, ("linux",)
    if not isinstance(linux, dict):
        raise text_position.FormatError(("linux",), f"Expected `object`, got {_kind(linux)}")
    seccomp = linux.get("seccomp")
    return ({} if seccomp is None else seccomp), ("linux", "seccomp")


def _kind(value: Any) -> str:
    return "`array`" if isinstance(value, list) else f"`{type(value).__name__}`"
