"""All the places where a text breaks the profile format, not only the first.

A value that breaks a rule is replaced by one that does not, in a copy, and the rest is read again.
"""

from __future__ import annotations

import copy
from typing import Any

from seclatch.errors import InputError
from seclatch.model.profile.profile import FLAGS
from seclatch.profile.parse import json_shapes
from seclatch.profile.parse.interpret_document import interpret_document
from seclatch.profile.parse.load_profile import check_keys, make_placed_error, read_raw
from seclatch.profile.parse.text_position import FormatError, Path, PlacedError

MAX_FAULTS = 20

# What stands in for a value: by the key it has, or by that of the list that it is in.
_VALID: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "action": "SCMP_ACT_ERRNO",
    "op": "SCMP_CMP_EQ",
    "index": 0,
    "value": 0,
    "valueTwo": 0,
}
_VALID_ITEMS: dict[str, Any] = {
    "names": "read",
    "architectures": "SCMP_ARCH_X86_64",
    "subArchitectures": "SCMP_ARCH_X86_64",
    "flags": FLAGS[0],
    "args": {"index": 0, "op": "SCMP_CMP_EQ"},
    "syscalls": {"names": ["read"], "action": "SCMP_ACT_ERRNO"},
    "archMap": {"architecture": "SCMP_ARCH_X86_64"},
}
_KEYS = {
    key.lower(): key
    for shape in (json_shapes.Seccomp, json_shapes.RuleShape)
    for key in shape.__struct_encode_fields__
}


def find_faults(text: str, name: str) -> list[PlacedError]:
    """List what breaks the format, by place, MAX_FAULTS at most.

    Empty where the text is no document that could be read on.
    """
    try:
        raw, _, locate = read_raw(text, name)
    except InputError:
        return []
    raw = copy.deepcopy(raw)
    found: dict[Path, PlacedError] = {}
    while len(found) < MAX_FAULTS:
        try:
            check_keys(raw)
            interpret_document(json_shapes.convert_shape(raw))
            break
        except FormatError as problem:
            if problem.path in found:
                break
            found[problem.path] = make_placed_error(name, locate(problem.path), problem)
            if not _repair(raw, problem.path):
                break
    return sorted(found.values(), key=lambda each: (each.where.line, each.where.column))


def _repair(raw: Any, path: Path) -> bool:
    """Replace the value at a path, or remove it; tell whether that could be done."""
    if not path:
        return False
    holder = raw
    for key in path[:-1]:
        if not _has(holder, key):
            return False
        holder = holder[key]
    last = path[-1]
    if isinstance(holder, list) and isinstance(last, int):
        kind = next((key for key in reversed(path) if isinstance(key, str)), "")
        if kind not in _VALID_ITEMS or not _has(holder, last):
            return False
        holder[last] = copy.deepcopy(_VALID_ITEMS[kind])
    elif isinstance(holder, dict) and isinstance(last, str):
        _repair_key(holder, last)
    else:
        return False
    return True


def _repair_key(holder: dict[str, Any], key: str) -> None:
    right = _KEYS.get(key.lower(), key)
    if right != key:  # in another case, which only some readers fold
        holder[right] = holder.pop(key)
    elif key in _VALID:
        holder[key] = _VALID[key]
    else:
        holder.pop(key, None)


def _has(holder: Any, key: str | int) -> bool:
    if isinstance(holder, list):
        return isinstance(key, int) and key < len(holder)
    return isinstance(holder, dict) and key in holder
