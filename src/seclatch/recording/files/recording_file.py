"""The recording file: JSON, compressed if its name ends in .gz; written beside, then renamed."""

from __future__ import annotations

import errno
import inspect
import sys
import zlib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from seclatch.data import DATA
from seclatch.errors import InputError, SeclatchError
from seclatch.model.document_kind import GZIP, describe_decode_error, name_content
from seclatch.model.recording.recording import SCHEMA, Recording
from seclatch.model.recording.recording_sums import RecordingSums
from seclatch.output import result_file as file
from seclatch.recording.files.validate_recording import find_fault

MAX_SIZE = 1 << 30
"""Limit of a decompressed recording; a larger file is refused."""

SCHEMA_FILE = f"schemas/recording-{SCHEMA}.json"
_Kind = TypeVar("_Kind", Recording, RecordingSums)
_REMEDY = "give what `seclatch record -o FILE` wrote"
_PROFILE_REMEDY = (
    f"{_REMEDY}; a profile goes to `report --profile FILE`, `generate --base FILE`, or "
    "`seclatch profile check FILE`"
)
_PREFIX_SIZE = (
    4096  # bytes that must look like a recording before more is read: /dev/zero has no end
)


def write_recording(path: Path, recording: Recording) -> None:
    """Write the file; an existing one stays until the new one is complete. Raises SeclatchError."""
    replace_recording(path, encode_recording(path, recording))


def encode_recording(path: Path, recording: Recording) -> bytes:
    """Return the content of a file of this name."""
    content = msgspec.json.encode(recording)
    return _compress(content) if path.suffix == ".gz" else content


def _compress(content: bytes) -> bytes:
    import gzip

    return gzip.compress(content, 6, mtime=0)


def replace_recording(path: Path, content: bytes) -> None:
    """Replace the file by this content, atomically. Raises SeclatchError."""
    try:
        file.replace_file(path, content, lasting=True)
    except OSError as error:
        raise SeclatchError(
            f"writing the recording {path}: {error.strerror}",
            remedy="give another file with -o, in a directory that can be written to",
        ) from error


def read_recording(path: Path) -> Recording:
    """Read a file. Raises InputError, naming the place and the rule."""
    return decode_recording(str(path), _read(path))


def read_sums(path: Path) -> RecordingSums:
    """Read only the sums of a file, which is faster. Raises InputError."""
    return decode_recording(str(path), _read(path), RecordingSums)


def _open(path: Path) -> AbstractContextManager[IO[bytes]]:
    """Open a file; `-` is standard input."""
    if str(path) != "-":
        return path.open("rb")
    if sys.stdin is None:  # closed: descriptor 0 may be another file by now
        raise OSError(errno.EBADF, "standard input is closed")
    return nullcontext(sys.stdin.buffer)


def _read(path: Path) -> bytes:
    try:
        with _open(path) as file:
            content = file.read(_PREFIX_SIZE)
            if content.startswith(GZIP) or content.lstrip()[:1] == b"{":
                content += file.read(MAX_SIZE)
    except OSError as error:
        raise InputError(str(path), "", error.strerror or "cannot be read") from error
    return unpack(path, content)


def unpack(path: Path, content: bytes) -> bytes:
    """Decompress a file's content if it is compressed. Raises InputError."""
    if content.startswith(GZIP):
        content = _decompress(path, content)
    if len(content) > MAX_SIZE:
        raise InputError(str(path), "", "larger than any recording")
    return content


def decode_recording(source: str, content: bytes, kind: type[_Kind] = Recording) -> _Kind:  # type: ignore[assignment]
    """Decode a file's content; its version is checked before the rest."""
    try:
        _require_version(source, content)
        decoded = msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `")
        raise InputError(source, place.removesuffix("`"), problem) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = describe_decode_error(content, error)
        raise InputError(source, "", f"not a recording: {why}", remedy=_REMEDY) from error
    if isinstance(decoded, Recording) and (fault := find_fault(decoded)):
        raise InputError(source, *fault)
    return decoded


class _RecordingHead(msgspec.Struct):
    """Fields that tell a recording from other files of seclatch: a scan has a kind."""

    schema: int
    kind: str = ""


def _require_version(source: str, content: bytes) -> None:
    try:
        head = msgspec.json.decode(content, type=_RecordingHead)
    except msgspec.ValidationError as error:
        if not (what := name_content(content)):
            raise InputError(source, "", f"not a recording: {error}", remedy=_REMEDY) from error
        raise _make_kind_error(source, what) from error
    if head.kind:
        raise _make_kind_error(source, name_content(content))
    if head.schema != SCHEMA:
        raise InputError(
            source,
            "schema",
            f"version {head.schema} of the format, this seclatch reads {SCHEMA}",
            remedy="use the seclatch that recorded it, or record again",
        )


def _make_kind_error(source: str, what: str) -> InputError:
    remedy = _PROFILE_REMEDY if what == "a profile" else _REMEDY
    return InputError(source, "", f"not a recording{what and ', but '}{what}", remedy=remedy)


def _decompress(path: Path, content: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(content, MAX_SIZE)
    except zlib.error as error:
        raise InputError(str(path), "", f"not a whole gzip file: {error}") from error
    if unpacker.unconsumed_tail:
        raise InputError(str(path), "", "larger than any recording")
    if not unpacker.eof:
        raise InputError(str(path), "", "not a whole gzip file: it is cut off")
    return unpacked


def make_schema() -> dict[str, Any]:
    """Make the JSON schema of the format from its types.

    Their docstrings become its descriptions; Python strips their indentation only from 3.13 on.
    """
    schema = msgspec.json.schema(Recording)
    for definition in schema["$defs"].values():
        definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"seclatch recording, version {SCHEMA}",
        **schema,
    }


def read_schema() -> bytes:
    """Read the published schema; a test holds it to the types."""
    return (DATA / SCHEMA_FILE).read_bytes()
