"""The recording file: JSON, compressed when its name ends in .gz; written beside, then renamed."""

from __future__ import annotations

import gzip
import inspect
import os
import zlib
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from seclatch.errors import InputError, SeclatchError
from seclatch.model.recording import SCHEMA, Recording

MAX_SIZE = 1 << 30
"""No recording is larger, unpacked; a file that claims to be is refused."""

SCHEMA_FILE = f"schemas/recording-{SCHEMA}.json"
_GZIP = b"\x1f\x8b"


def require_writable(path: Path) -> None:
    """Find out before there is anything to lose. Raises SeclatchError."""
    folder = path.parent
    problem = ""
    if not folder.is_dir():
        problem = "there is no such directory"
    elif path.is_dir():
        problem = "it is a directory"
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem = "no permission to write there"
    if problem:
        raise SeclatchError(
            f"the recording cannot be written to {path}: {problem}",
            remedy="give another file with -o",
        )


def write(path: Path, recording: Recording) -> None:
    """Write the file; what was there stays until the new one is whole. Raises SeclatchError."""
    content = msgspec.json.encode(recording)
    if path.suffix == ".gz":
        content = gzip.compress(content, compresslevel=6, mtime=0)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise SeclatchError(
            f"writing the recording {path}: {error.strerror}",
            remedy="give another file with -o, in a directory that can be written to",
        ) from error


def read(path: Path) -> Recording:
    """Read a file. Raises InputError, naming the place and the rule."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), "", error.strerror or "cannot be read") from error
    if content.startswith(_GZIP):
        content = _unpack(path, content)
    return decode(str(path), content)


def decode(source: str, content: bytes) -> Recording:
    """Read a file's content; its version is looked at before the rest."""
    try:
        version = msgspec.json.decode(content, type=_Version).schema
        if version != SCHEMA:
            raise InputError(
                source,
                "schema",
                f"version {version} of the format, this seclatch reads {SCHEMA}",
                remedy="use the seclatch that recorded it, or record again",
            )
        return msgspec.json.decode(content, type=Recording)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `")
        raise InputError(source, place.removesuffix("`"), problem) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(source, "", f"not a recording: {error}") from error


class _Version(msgspec.Struct):
    schema: int


def _unpack(path: Path, content: bytes) -> bytes:
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

    Their docstrings become its texts; Python keeps those' indentation only before 3.13.
    """
    schema = msgspec.json.schema(Recording)
    for definition in schema["$defs"].values():
        definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"seclatch recording, version {SCHEMA}",
        **schema,
    }


def published_schema() -> bytes:
    """Read the schema that is shipped; a test holds it to the types."""
    return resources.files("seclatch.data").joinpath(SCHEMA_FILE).read_bytes()
