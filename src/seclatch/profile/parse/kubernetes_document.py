"""Kubernetes: the security-profiles-operator's `SeccompProfile`, YAML around OCI's fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import yaml

from seclatch.model import errno
from seclatch.model.document_kind import name_document
from seclatch.model.quoted_text import quote_text
from seclatch.profile.parse.text_position import (
    MAX_DIGITS,
    FormatError,
    Path,
    PlacedError,
    TextPosition,
)

GROUP = "security-profiles-operator.x-k8s.io/"
_BASE = "baseProfileName"
_OWN = (_BASE, "disabled", "state")
"""Fields of the spec that say something to the operator, and nothing of the profile. v1beta1 had
`disabled`, which every exported object then has; now it is `state`: Enabled or Disabled."""

MAX_SIZE = 256 << 10
"""Characters: where PyYAML has no libyaml it reads some 100 KB a second. The operator's own
profiles have a few KB."""

MAX_DEPTH = 32
"""Lists and maps within each other; a manifest has 7."""

_INTEGER = "tag:yaml.org,2002:int"
_KEYS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_manifest(
    text: str, source: str
) -> tuple[Any, dict[str, Any], Callable[[Path], TextPosition]]:
    """Read the manifest's spec as plain values.

    Returns the profile, what is the operator's own, and a function that locates a path in the text.
    Raises InputError with line and column if the text is no SeccompProfile manifest.
    """
    if len(text) > MAX_SIZE:
        rule = f"no JSON, and larger than {MAX_SIZE >> 10} KiB as YAML"
        raise PlacedError(source, TextPosition((), 1, 1), rule)
    node, document = _read(text, source)

    def locate(path: Path) -> TextPosition:
        return _locate(node, ("spec", *path))

    try:
        spec = _spec(document)
        own = {key: spec.pop(key) for key in _OWN if key in spec} if isinstance(spec, dict) else {}
        return spec, own, locate
    except FormatError as problem:
        where = locate(problem.path) if problem.path else _locate(node, ())
        raise PlacedError(source, where, problem.rule, remedy=problem.remedy) from problem


def _read(text: str, source: str) -> tuple[yaml.Node, Any]:
    """One YAML document, as nodes (which know their places) and as plain values."""
    try:
        _check_shape(text, source)
        node = yaml.compose(text, Loader=_LOADER)
        if node is None:
            raise PlacedError(source, TextPosition((), 1, 1), "the file is empty")
        _check_keys(node, source)
        return node, _construct(node)
    except yaml.MarkedYAMLError as error:
        where = _place(error.problem_mark) if error.problem_mark else TextPosition((), 1, 1)
        raise PlacedError(source, where, f"neither JSON nor YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:  # a date of month 13
        raise PlacedError(
            source, TextPosition((), 1, 1), f"neither JSON nor YAML: {error}"
        ) from error


def _check_shape(text: str, source: str) -> None:
    """Refuse what would take time or memory out of proportion, before it is read.

    With aliases a small file can stand for a huge value; nesting is read by recursion.
    """
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            rule = "the file has several YAML documents, and one is wanted"
            remedy = "write each to a file of its own"
            raise PlacedError(source, _place(event.start_mark), rule, remedy=remedy)
        if isinstance(event, yaml.AliasEvent):
            rule = "YAML aliases are not read"
            raise PlacedError(source, _place(event.start_mark), rule, remedy="write the value out")
        if getattr(event, "tag", None):
            rule = "YAML tags are not read"
            raise PlacedError(source, _place(event.start_mark), rule, remedy="leave the tag out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                rule = f"nested more than {MAX_DEPTH} deep: not a profile"
                raise PlacedError(source, _place(event.start_mark), rule)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_keys(root: yaml.Node, source: str) -> None:
    """YAML forbids a key that occurs twice, and PyYAML takes the last one without a word."""
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            _check_map(node, source)
            nodes += [value for _, value in node.value]
        elif node.tag == _INTEGER and len(node.value) > MAX_DIGITS:
            raise PlacedError(source, _place(node.start_mark), "a number beyond all that are read")


def _check_map(node: yaml.MappingNode, source: str) -> None:
    seen: dict[str, TextPosition] = {}
    for key, _ in node.value:
        here = _place(key.start_mark)
        if not isinstance(key, yaml.ScalarNode):
            raise PlacedError(source, here, "a key that is no plain text")
        if key.tag not in _KEYS:  # YAML 1.1 reads `on` as true, and 3 as a number
            raise PlacedError(source, here, f"the key {quote_text(key.value)} is no plain text")
        first = seen.setdefault(key.value, here)
        if first is not here:
            rule = f"the key {quote_text(key.value)} occurs twice, first at {first}"
            raise PlacedError(source, here, rule, remedy="remove one of them")


def _construct(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _spec(document: Any) -> Any:
    """Return the manifest's spec, if the manifest is one of the operator's profiles."""
    is_map = isinstance(document, dict)
    if not is_map or document.get("kind") != "SeccompProfile":
        listed = is_map and document.get("kind") == "List"  # of `kubectl get` without a name
        remedy = "write one of the list's items to a file of its own" if listed else ""
        rule = "neither a JSON profile nor a Kubernetes SeccompProfile"
        if what := name_document(document):
            rule = f"not a profile, but {what}"
            remedy = "`seclatch generate` makes a profile of a recording and a scan"
        raise FormatError((), rule, remedy)
    if not str(document.get("apiVersion", "")).startswith(GROUP):
        raise FormatError((), f"the SeccompProfile's apiVersion is not of {GROUP}*")
    spec = document.get("spec")
    if spec is None:
        return {}
    if isinstance(spec, dict) and spec.get(_BASE):
        rule = f"{_BASE} stands for a profile that is not in this file"
        raise FormatError((_BASE,), rule, "merge the base profile into it first")
    _read_errno(spec)
    return spec


def _read_errno(spec: Any) -> None:
    """Read an errnoRet as the operator does.

    It has been a string: a number in digits or a name. Where it is a number, 0 is as if it were not
    there (its errnoRetToOCI), and EPERM is answered.
    """
    rules = spec.get("syscalls") if isinstance(spec, dict) else None
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        errno_ret = rule.get("errnoRet") if isinstance(rule, dict) else None
        if errno_ret == 0 and type(errno_ret) is int:  # not false, which is no number
            rule["errnoRet"] = None
        elif isinstance(errno_ret, str):
            try:
                rule["errnoRet"] = errno.parse_errno(errno_ret)
            except ValueError as error:
                raise FormatError(("syscalls", index, "errnoRet"), str(error)) from error


def _place(mark: Any, path: Path = ()) -> TextPosition:
    return TextPosition(path, mark.line + 1, mark.column + 1)


def _locate(node: yaml.Node, path: Path) -> TextPosition:
    """Return the node at `path`, or the last one on the way."""
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
