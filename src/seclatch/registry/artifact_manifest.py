"""Manifests of OCI artifacts, made and read (image-spec 1.1, manifest.md)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from seclatch.registry.reference import DIGEST
from seclatch.registry.registry_http import read_json

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob that a manifest names."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of a manifest."""
        value = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        return value | ({"annotations": self.annotations} if self.annotations else {})


@dataclass(frozen=True, slots=True)
class ArtifactManifest:
    """What is used of a manifest. `kind` is its artifactType, which may be missing."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    kind: str = ""
    annotations: dict[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the manifest as JSON; the same content has the same digest."""
        value: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE}
        value |= {"artifactType": self.kind} if self.kind else {}
        value |= {"config": self.config.to_json(), "layers": [d.to_json() for d in self.layers]}
        value |= {"annotations": self.annotations} if self.annotations else {}
        return json.dumps(value, separators=(",", ":")).encode()


def describe_blob(data: bytes, media_type: str, **annotations: str) -> Descriptor:
    """Return the descriptor of a blob."""
    return Descriptor(media_type, digest_of(data), len(data), annotations)


def digest_of(data: bytes) -> str:
    """Return the digest of content as references write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def read_manifest(data: bytes) -> ArtifactManifest:
    """Read a manifest from a registry. Raises ValueError with the rule that it breaks."""
    document = read_json(data)
    if document.get("schemaVersion") != 2 or document.get("mediaType", MANIFEST_TYPE) != (
        MANIFEST_TYPE
    ):
        raise ValueError("it is no OCI image manifest")
    layers, kind = document.get("layers"), document.get("artifactType", "")
    if not isinstance(layers, list) or not isinstance(kind, str):
        raise ValueError("its layers or artifactType are malformed")
    return ArtifactManifest(
        _read_descriptor(document.get("config")),
        tuple(_read_descriptor(layer) for layer in layers),
        kind,
        _read_annotations(document),
    )


def _read_descriptor(value: Any) -> Descriptor:
    """Read a descriptor; one with `urls` would be fetched from wherever those point."""
    if not isinstance(value, dict):
        raise ValueError("a descriptor is no object")
    media_type, digest, size = (value.get(name) for name in ("mediaType", "digest", "size"))
    if not isinstance(media_type, str) or not isinstance(digest, str):
        raise ValueError("a descriptor has no mediaType or digest")
    if not DIGEST.fullmatch(digest):
        raise ValueError("a descriptor's digest is not sha256")
    if type(size) is not int or size < 0:
        raise ValueError("a descriptor's size is no number")
    if value.get("urls"):
        raise ValueError("a blob is to be fetched from another place (urls)")
    return Descriptor(media_type, digest, size, _read_annotations(value))


def _read_annotations(value: dict[str, Any]) -> dict[str, str]:
    annotations = value.get("annotations") or {}
    if not isinstance(annotations, dict) or not all(
        isinstance(text, str) for text in annotations.values()
    ):
        raise ValueError("annotations are not texts")
    return annotations
