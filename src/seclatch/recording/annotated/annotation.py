"""Read the annotation `seclatch.record=NAME`, by which a container asks to be recorded.

Starting or annotating a container does not take root, so everything here is hostile: the name is a
name and never a path, and a file that is too large is not read. See decision 0016.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import msgspec

from seclatch.errors import InputError
from seclatch.model.pod import PodContainer, find_keys, is_sandbox, read_pod

ANNOTATION_KEY = "seclatch.record"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
MAX_SIZE = 16 << 20
_SAFE_CHARACTERS = re.compile(r"[A-Za-z0-9_.-]+")


class _AnnotationConfig(msgspec.Struct):
    annotations: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class AnnotationRequest:
    """The name that the annotation gives, and the container's id as the runtime is given it.

    `pod`: its names in Kubernetes.
    """

    name: str
    identifier: str
    pod: PodContainer | None = None

    @property
    def short_id(self) -> str:
        """Return up to twelve characters of the id that are safe in a file name."""
        return "".join(_SAFE_CHARACTERS.findall(self.identifier))[:12].lstrip(".-") or "container"


def read_annotation(content: bytes, identifier: str) -> AnnotationRequest | None:
    """Read the annotation of a configuration; None if there is none. Raises InputError."""
    value = decode_annotations(content)
    name = value.get(ANNOTATION_KEY)
    keys = find_keys(value)
    # A pod's annotations also reach the container that holds its namespaces.
    if name is None or (keys and is_sandbox(value, keys)):
        return None
    if not NAME.fullmatch(name):
        raise InputError(
            f"container {identifier[:64]}",
            f"annotation {ANNOTATION_KEY}",
            f"{name[:80]!r} is no name for a recording",
            remedy="letters, digits, and after the first _ . - too; 64 at most",
        )
    return AnnotationRequest(name, identifier, read_pod(value, keys) if keys else None)


def read_bundle_annotations(bundle: str, config: str) -> dict[str, str]:
    """Read the annotations as the latch's front does: in the bundle, its working directory."""
    folder = os.open(bundle, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        fd = os.open(config, flags, dir_fd=folder)
    finally:
        os.close(folder)
    with os.fdopen(fd, "rb") as file:
        content = file.read(MAX_SIZE + 1)
    return decode_annotations(content)


def decode_annotations(content: bytes) -> dict[str, str]:
    """Return the annotations of a configuration. Raises InputError."""
    if len(content) > MAX_SIZE:
        raise InputError("config.json", "", f"larger than {MAX_SIZE >> 20} MiB")
    try:
        return msgspec.json.decode(content, type=_AnnotationConfig).annotations
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError("config.json", "", f"not a configuration: {error}") from error
