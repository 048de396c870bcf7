"""Edit lists and scalars of a YAML text in place; every other character stays.

For documents without aliases, tags and block scalars as keys. Positions come from PyYAML's nodes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import yaml

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""A mark counts lines by these (YAML 1.1, section 4.2)."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

YamlPath = Sequence[str | int]


class _Indented(yaml.SafeDumper):
    """Writes lists one step further to the right than their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


class YamlText:
    """A text with the positions of its nodes; each edit reads it anew."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._read()

    def _read(self) -> None:
        self._starts = [0, *(match.end() for match in _BREAK.finditer(self.text))]
        self._newline = "\r\n" if "\r\n" in self.text else "\n"
        self._root = yaml.compose(self.text, Loader=_LOADER)

    def _replace(self, begin: int, end: int, text: str) -> None:
        self.text = self.text[:begin] + text + self.text[end:]
        try:
            self._read()
        except yaml.YAMLError as error:
            raise ValueError("it is written in a way that cannot be edited") from error

    def find(self, path: YamlPath) -> yaml.Node | None:
        """Return the node at a path, None if there is none."""
        node = self._root
        for key in path:
            node = next((value for name, value in _list_children(node) if name == key), None)
            if node is None:
                return None
        return node

    def append_items(self, path: YamlPath, items: Sequence[dict[str, Any]], comment: str) -> None:
        """Add maps at the end of the list at `path`, with a comment above where it has lines.

        Raises ValueError for what is no list, or cannot be edited.
        """
        node = self._require(path)
        if not isinstance(node, yaml.SequenceNode):
            raise ValueError("not a list")
        if _is_flow(node):
            words = ", ".join(json.dumps(item) for item in items)
            if node.value:  # a comma may follow the last item
                at, words = self._end(node.value[-1]), f", {words}"
            else:
                at = self._end(node) - 1
            self._replace(at, at, words)
            return
        column = node.start_mark.column
        is_indented = any(
            isinstance(value, yaml.SequenceNode) and value.start_mark.column > key.start_mark.column
            for item in node.value
            if isinstance(item, yaml.MappingNode)
            for key, value in item.value
        )
        lines = [f"# {comment}"] if comment else []
        lines += _dump(items, indented=is_indented)
        self._insert_lines(self._after(node), [" " * column + line for line in lines])

    def add_key(self, path: YamlPath, key: str, items: Sequence[dict[str, Any]]) -> None:
        """Add a key with a list to the map at `path`."""
        node = self._require(path)
        if not isinstance(node, yaml.MappingNode) or _is_flow(node):
            raise ValueError("not a map in lines")
        column = " " * node.start_mark.column
        lines = [f"{key}:", *_dump(items, indented=False)]
        self._insert_lines(self._after(node), [column + line for line in lines])

    def remove_items(self, path: YamlPath, places: Collection[int]) -> None:
        """Remove items of the list at `path`; one without any left becomes `[]`."""
        for place in sorted(places, reverse=True):
            node = self._require(path)
            items = node.value
            if len(items) == 1:
                begin, end = self._offset(node.start_mark), self._end(node)
                # a list in lines may begin in its key's column, one in brackets may not
                self._replace(begin, end, "[]" if _is_flow(node) else " []")
            elif _is_flow(node):
                self._remove_between_commas(items, place)
            else:
                last = place + 1 == len(items)
                end = self._after(node) if last else self._line(items[place + 1])
                self._replace(self._line(items[place]), end, "")

    def _remove_between_commas(self, items: Sequence[yaml.Node], place: int) -> None:
        if place:
            self._replace(self._end(items[place - 1]), self._end(items[place]), "")
        else:
            begin = self._offset(items[0].start_mark)
            self._replace(begin, self._offset(items[1].start_mark), "")

    def set_scalar(self, path: YamlPath, value: str) -> None:
        """Replace the scalar at `path` by a word, with the same quotes."""
        node = self._require(path)
        if not isinstance(node, yaml.ScalarNode) or node.style not in (None, "", "'", '"'):
            raise ValueError("not a scalar on one line")
        quote = node.style or ""
        self._replace(self._offset(node.start_mark), self._end(node), f"{quote}{value}{quote}")

    def _require(self, path: YamlPath) -> yaml.Node:
        node = self.find(path)
        if node is None:
            raise KeyError(path[-1])
        return node

    def _offset(self, mark: Any) -> int:
        line, column = int(mark.line), int(mark.column)
        return self._starts[line] + column

    def _line(self, node: yaml.Node) -> int:
        """Return the beginning of the line on which a node begins."""
        line = int(node.start_mark.line)
        return self._starts[line]

    def _end(self, node: yaml.Node) -> int:
        """Return where a node ends; a list or map in lines ends with its last descendant."""
        while not isinstance(node, yaml.ScalarNode) and not _is_flow(node) and node.value:
            last = node.value[-1]
            node = last[1] if isinstance(last, tuple) else last
        return self._offset(node.end_mark)

    def _after(self, node: yaml.Node) -> int:
        """Return the beginning of the line after a node, with what stands beside it."""
        end = self._end(node)
        if end in self._starts[1:]:  # a block scalar ends there
            return end
        return next((start for start in self._starts if start > end), len(self.text))

    def _insert_lines(self, at: int, lines: Sequence[str]) -> None:
        text = self._newline.join(lines) + self._newline
        if at == len(self.text) and not _BREAK.search(self.text[-1:]):
            text = self._newline + text
        self._replace(at, at, text)


def _dump(items: Sequence[dict[str, Any]], *, indented: bool) -> list[str]:
    dumper = _Indented if indented else yaml.SafeDumper
    text: str = yaml.dump(list(items), Dumper=dumper, sort_keys=False, width=1000)
    lines = text.splitlines()
    # the outer list stands where its first dash does
    cut = len(lines[0]) - len(lines[0].lstrip())
    return [line[cut:] for line in lines]


def _is_flow(node: yaml.Node) -> bool:
    """Whether a list or map is written in brackets or braces."""
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _list_children(node: yaml.Node | None) -> Iterator[tuple[str | int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((str(key.value), value) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from enumerate(node.value)
