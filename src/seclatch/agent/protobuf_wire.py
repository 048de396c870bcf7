"""Protocol buffers' wire format, for the few messages that a probe sends to CRI.

A message is nested tuples of (field number, value). Generated classes would be a package of their
own, made by a compiler.
"""

from __future__ import annotations

from typing import Any

from seclatch.errors import SeclatchError

Fields = tuple[tuple[int, Any], ...]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}


def encode_message(fields: Fields) -> bytes:
    """Write a message: strings, unsigned numbers, messages, and maps of strings (dict)."""
    return b"".join(_field(number, value) for number, value in fields)


def _field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, dict):
        return b"".join(_field(number, ((1, key), (2, item))) for key, item in value.items())
    content = value.encode() if isinstance(value, str) else encode_message(value)
    return _varint(number << 3 | _LENGTH) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*content, value])


def decode_message(content: bytes) -> dict[int, list[Any]]:
    """Decode a message: all values of each field, numbers and contents. Raises SeclatchError."""
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(content):
        tag, at = _read_varint(content, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _read_varint(content, at)
            found.setdefault(tag >> 3, []).append(value)
            continue
        size, at = (_FIXED[kind], at) if kind in _FIXED else _read_length(content, at, kind)
        if at + size > len(content):
            raise _malformed()
        found.setdefault(tag >> 3, []).append(content[at : at + size])
        at += size
    return found


def _read_length(content: bytes, at: int, kind: int) -> tuple[int, int]:
    if kind != _LENGTH:
        raise _malformed()
    return _read_varint(content, at)


def _read_varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(content) and shift < 70:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise _malformed()


def _malformed() -> SeclatchError:
    return SeclatchError("reading an answer of CRI: not a protocol buffer")
