"""Counts of one node at a registry: an artifact of one layer, under a tag of its own.

A tag a node, image and container name: nodes do not overwrite each other, and a node replaces what
it pushed before. Referrers (OCI 1.1) would need no tags, but many registries keep their index by
hand, and concurrent pushers lose entries of it.
"""

from __future__ import annotations

import hashlib
import re
import socket
import zlib
from pathlib import Path

from seclatch.errors import InputError
from seclatch.model.recording.merge_recordings import ContainerGroup
from seclatch.registry.artifact_manifest import ArtifactManifest, describe_blob

COUNTS_TYPE = "application/vnd.seclatch.counts.v1+json"
LAYER_TYPE = f"{COUNTS_TYPE}+gzip"
CONFIG = b"{}"

MAX_LAYER = 1 << 20
"""Bytes of one node's counts, compressed; usual ones have 5 to 20 KB."""

MAX_COUNTS = 16 << 20
"""Bytes of them decompressed."""

_TAG = re.compile(r"counts-([0-9a-f]{24})-([0-9a-f]{12})-([0-9a-f]{16})")
_MACHINE_ID = Path("/etc/machine-id")


def counts_tag(group: ContainerGroup, node: str) -> str:
    """Return the tag of a node's counts of one image and container name."""
    return f"counts-{_hash(group.images, 24)}-{_hash(group.names, 12)}-{_hash(node, 16)}"


def is_counts_tag(tag: str, image: str = "", container: str = "") -> bool:
    """Return whether a tag has counts, of this image and container name if they are given."""
    match = _TAG.fullmatch(tag)
    return bool(
        match
        and (not image or match[1] == _hash(image, 24))
        and (not container or match[2] == _hash(container, 12))
    )


def _hash(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def name_node(machine_id: Path = _MACHINE_ID) -> str:
    """Return a name of this host that no other has.

    A hash of machine-id(5), which is confidential itself; the host name where there is none.
    """
    try:
        text = machine_id.read_text().strip()
    except OSError:
        text = ""
    return _hash(f"seclatch counts {text}", 32) if len(text) == 32 else socket.gethostname()


def make_counts_manifest(layer: bytes) -> bytes:
    """Return the manifest of a node's counts."""
    manifest = ArtifactManifest(
        describe_blob(CONFIG, COUNTS_TYPE), (describe_blob(layer, LAYER_TYPE),), COUNTS_TYPE
    )
    return manifest.to_bytes()


def require_small(layer: bytes, name: str) -> None:
    """Raise InputError for a layer that is no gzip file, or is too large when decompressed."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacker.decompress(layer, MAX_COUNTS)
    except zlib.error as error:
        raise InputError(name, "", f"not a whole gzip file: {error}") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise InputError(name, "", f"more than {MAX_COUNTS >> 20} MiB of counts, or cut off")
