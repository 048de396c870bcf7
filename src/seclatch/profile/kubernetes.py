"""Kubernetes: the security-profiles-operator's `SeccompProfile`, YAML around OCI's fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import yaml

from seclatch.errors import InputError
from seclatch.model import errno
from seclatch.profile.place import FormatError, Path, Place

GROUP = "security-profiles-operator.x-k8s.io/"
# Fields of the spec that are not the profile's own.
_BASE = "baseProfileName"


MAX_SIZE = 256 << 10
"""Characters. YAML is read at some 100 KB a second; the operator's own profiles have a few KB."""


def read(text: str, source: str) -> tuple[Any, Callable[[Path], Place]]:
    """The manifest's spec as plain values, and what finds the place of a path within it.

    Raises InputError with line and column if the text is no SeccompProfile manifest.
    """
    if len(text) > MAX_SIZE:
        raise InputError(source, "", f"no JSON, and larger than {MAX_SIZE >> 10} KiB as YAML")
    node, document = _read(text, source)

    def locate(path: Path) -> Place:
        return _locate(node, ("spec", *path))

    try:
        return _spec(document), locate
    except FormatError as problem:
        where = locate(problem.path) if problem.path else _locate(node, ())
        raise InputError(source, str(where), problem.rule, remedy=problem.remedy) from problem


def _read(text: str, source: str) -> tuple[yaml.Node, Any]:
    """One YAML document, as nodes (which know their places) and as plain values."""
    try:
        node = _compose(text, source)
        return node, _construct(node)
    except yaml.MarkedYAMLError as error:
        where = str(_place(error.problem_mark)) if error.problem_mark else ""
        raise InputError(source, where, f"neither JSON nor YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # too deep; a date of month 13
        raise InputError(source, "", f"neither JSON nor YAML: {error}") from error


def _compose(text: str, source: str) -> yaml.Node:
    """Refuses aliases: with them a small file can stand for a huge value."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise InputError(source, str(_place(event.start_mark)), "YAML aliases are not read")
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        raise InputError(source, "", "the file is empty")
    return node


def _construct(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _spec(document: Any) -> Any:
    """The manifest's spec, if the manifest is one of the operator's profiles."""
    is_map = isinstance(document, dict)
    if not is_map or document.get("kind") != "SeccompProfile":
        raise FormatError((), "neither a JSON profile nor a Kubernetes SeccompProfile")
    if not str(document.get("apiVersion", "")).startswith(GROUP):
        raise FormatError((), f"the SeccompProfile's apiVersion is not of {GROUP}*")
    spec = document.get("spec") or {}
    if isinstance(spec, dict) and spec.get(_BASE):
        rule = f"{_BASE} stands for a profile that is not in this file"
        raise FormatError((_BASE,), rule, "merge the base profile into it first")
    _read_errno(spec)
    return spec


def _read_errno(spec: Any) -> None:
    """The operator's errnoRet is a string: a number in digits or a name."""
    rules = spec.get("syscalls") if isinstance(spec, dict) else None
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, dict) and isinstance(rule.get("errnoRet"), str):
            try:
                rule["errnoRet"] = errno.parse(rule["errnoRet"])
            except ValueError as error:
                raise FormatError(("syscalls", index, "errnoRet"), str(error)) from error


def _place(mark: Any, path: Path = ()) -> Place:
    return Place(path, mark.line + 1, mark.column + 1)


def _locate(node: yaml.Node, path: Path) -> Place:
    """The node at `path`, or the last one on the way."""
    here = node
    for key in path:
        child = next((value for name, value in _children(here) if name == key), None)
        if child is None:
            break
        here = child
    return _place(here.start_mark, path)


def _children(node: yaml.Node) -> Iterator[tuple[str | int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((str(name.value), value) for name, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from enumerate(node.value)
