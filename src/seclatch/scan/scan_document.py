"""The scan file: one JSON document."""

from __future__ import annotations

import inspect
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from seclatch.errors import InputError
from seclatch.model.document_kind import GZIP, describe_decode_error, name_content
from seclatch.model.scan import SCHEMA, Scan

MAX_SIZE = 1 << 28
SCHEMA_FILE = f"schemas/scan-{SCHEMA}.json"
_REMEDY = "give what `seclatch scan -o FILE` wrote"


def encode_scan(scan: Scan) -> bytes:
    r"""Return the file's content. Bytes of paths that are not UTF-8 are written as `\udcff`."""
    try:
        content = msgspec.json.encode(scan)
    except UnicodeEncodeError:
        content = msgspec.json.encode(_printable(msgspec.to_builtins(scan)))
    return msgspec.json.format(content, indent=1) + b"\n"


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list | tuple) else value


def read_scan(path: Path) -> Scan:
    """Read a file. Raises InputError, naming the place and the rule."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise InputError(str(path), "", error.strerror or "cannot be read") from error
    if len(content) > MAX_SIZE:
        raise InputError(str(path), "", "larger than any scan")
    return decode_scan(str(path), content)


def decode_scan(source: str, content: bytes) -> Scan:
    """Decode a file's content; its version is checked before the rest."""
    if content.startswith(GZIP):
        raise InputError(source, "byte 0", "compressed (gzip): scans are not", remedy=_REMEDY)
    try:
        head = _read_head(source, content)
        if head.kind != "scan":
            raise _make_kind_error(source, name_content(content), "kind")
        if head.schema != SCHEMA:
            raise InputError(
                source,
                "schema",
                f"version {head.schema} of the format, this seclatch reads {SCHEMA}",
                remedy="scan again",
            )
        return msgspec.json.decode(content, type=Scan)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `")
        raise InputError(source, place.removesuffix("`"), problem) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = describe_decode_error(content, error)
        raise InputError(source, "", f"not a scan: {why}", remedy=_REMEDY) from error


class _ScanHead(msgspec.Struct):
    schema: int
    kind: str = ""


def _read_head(source: str, content: bytes) -> _ScanHead:
    try:
        return msgspec.json.decode(content, type=_ScanHead)
    except msgspec.ValidationError as error:
        if what := name_content(content):
            raise _make_kind_error(source, what) from error
        raise InputError(source, "", f"not a scan: {error}", remedy=_REMEDY) from error


def _make_kind_error(source: str, what: str, place: str = "") -> InputError:
    return InputError(source, place, f"not a scan{what and ', but '}{what}", remedy=_REMEDY)


def make_schema() -> dict[str, Any]:
    """Generate the format's JSON schema from its types; their docstrings become descriptions."""
    schema = msgspec.json.schema(Scan)
    for definition in schema["$defs"].values():
        definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"seclatch scan, version {SCHEMA}",
        **schema,
    }


def published_schema() -> bytes:
    """Read the schema that is shipped; a test compares it with the types."""
    return resources.files("seclatch.data").joinpath(SCHEMA_FILE).read_bytes()
