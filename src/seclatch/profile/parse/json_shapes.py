"""The JSON documents as they stand in files: shapes only, no meaning.

One shape serves Docker's format, OCI's `linux.seccomp` and containers-common's, which share their
fields. `null` is everywhere the same as absent, as for the engines' JSON readers (Go).
"""

from __future__ import annotations

from typing import Any

import msgspec

from seclatch.model.quoted_text import quote_text
from seclatch.profile.parse.text_position import FormatError, parse_path


class ArgShape(msgspec.Struct, rename="camel"):
    """`syscalls[].args[]`."""

    index: int
    op: str
    value: int = 0
    value_two: int | None = 0


class ConditionShape(msgspec.Struct, rename="camel"):
    """`syscalls[].includes` and `.excludes`."""

    caps: list[str] | None = None
    arches: list[str] | None = None
    min_kernel: str | None = None


class RuleShape(msgspec.Struct, rename="camel"):
    """`syscalls[]`."""

    names: list[str] | None = None
    name: str | None = None
    action: str | None = None
    errno_ret: int | None = None
    errno: str | None = None
    args: list[ArgShape] | None = None
    comment: str | None = None
    includes: ConditionShape | None = None
    excludes: ConditionShape | None = None


class ArchMap(msgspec.Struct, rename="camel"):
    """`archMap[]`."""

    architecture: str
    sub_architectures: list[str] | None = None


class Seccomp(msgspec.Struct, rename="camel"):
    """The document."""

    default_action: str | None = None
    default_errno_ret: int | None = None
    default_errno: str | None = None
    architectures: list[str] | None = None
    arch_map: list[ArchMap] | None = None
    syscalls: list[RuleShape] | None = None
    flags: list[str] | None = None
    listener_path: str | None = None
    listener_metadata: str | None = None


def convert_shape(document: Any) -> Seccomp:
    """Plain values to the document's shape, or a FormatError that names the wrong value."""
    try:
        return msgspec.convert(document, Seccomp)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `")
        raise FormatError(parse_path(path.removesuffix("`")), message) from error
    except UnicodeEncodeError as error:  # JSON's \\ud800 alone; msgspec does not say where
        raise FormatError((), f"the key {quote_text(error.object)} is half a character") from error
