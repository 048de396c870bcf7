"""Name what a JSON document is that was given in place of another one, for the error about it."""

from __future__ import annotations

from typing import Any

import msgspec

GZIP = b"\x1f\x8b"
"""The first bytes of a gzip file (RFC 1952)."""


def name_document(value: Any) -> str:
    """Return what a decoded document is, with its article; "" for an unknown one."""
    if not isinstance(value, dict):
        return ""
    if "defaultAction" in value or "linux" in value:
        return "a profile"  # or a bundle's config.json, which has one
    if value.get("kind") in ("scan", "explanation"):
        return "a scan" if value["kind"] == "scan" else "an explanation"
    if isinstance(schema := value.get("schema"), str) and schema.startswith("seclatch."):
        return f"output of seclatch ({schema[:60]})"
    return "a recording" if "calls" in value and "hosts" in value else ""


def name_content(content: bytes) -> str:
    """Return what a file's content is; "" where it is not JSON, or unknown."""
    try:
        return name_document(msgspec.json.decode(content))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def describe_decode_error(content: bytes, error: Exception) -> str:
    """Return why the content is no JSON document, for people."""
    if not content.strip():
        return "the file is empty"
    if isinstance(error, RecursionError):
        return "nested too deep"
    if "truncated" in str(error):  # msgspec names no place here
        return f"it ends in the middle, after {len(content)} bytes"
    return str(error)
