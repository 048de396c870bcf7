"""Push a profile to a registry as an artifact of KEP-6061 or of an operator, and sign it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seclatch.profile.artifact.profile_artifact import LAYER_TYPE, MEDIA_TYPE
from seclatch.registry.artifact_manifest import (
    EMPTY_TYPE,
    ArtifactManifest,
    describe_blob,
    digest_of,
)
from seclatch.registry.cosign_signature import load_private_key
from seclatch.registry.reference import Reference
from seclatch.registry.registry_client import RegistryClient
from seclatch.registry.registry_http import RegistryAccess

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

IMAGE_ANNOTATION = "io.seclatch.image"
"""The image whose program a profile is for, by digest; the signature covers it."""

_TITLE = "org.opencontainers.image.title"
_CONFIG = b"{}"


@dataclass(frozen=True, slots=True)
class ArtifactForm:
    """By which types and file name readers know an artifact's only layer."""

    kind: str
    config_type: str
    layer_type: str
    file_name: str


RUNTIME_FORM = ArtifactForm(MEDIA_TYPE, MEDIA_TYPE, LAYER_TYPE, "seccomp.json")
OPERATOR_FORM = ArtifactForm(
    "application/vnd.unknown.config.v1+json", EMPTY_TYPE, "application/yaml", "profile.yaml"
)
"""security-profiles-operator reads the file of this name and looks at no type."""


@dataclass(frozen=True, slots=True)
class ProfileLayer:
    """The content of an artifact's one layer; `image`: the image that the profile is for, or ""."""

    data: bytes
    image: str = ""
    form: ArtifactForm = RUNTIME_FORM


@dataclass(frozen=True, slots=True)
class PushedProfile:
    """The reference by digest, the layer's size, and whether a signature was added."""

    reference: Reference
    size: int
    signed: bool = False


def make_manifest(layer: ProfileLayer) -> bytes:
    """Return the manifest of a profile's artifact; the same profile has the same digest."""
    form = layer.form
    manifest = ArtifactManifest(
        describe_blob(_CONFIG, form.config_type),
        (describe_blob(layer.data, form.layer_type, **{_TITLE: form.file_name}),),
        form.kind,
        {IMAGE_ANNOTATION: layer.image} if layer.image else {},
    )
    return manifest.to_bytes()


def push_profile(
    layer: ProfileLayer,
    reference: Reference,
    access: RegistryAccess,
    key: EllipticCurvePrivateKey | None = None,
) -> PushedProfile:
    """Upload blobs, manifest and signature, in this order, the tag last.

    So a reader who finds a tag finds its signature, too.
    """
    from seclatch.registry.signature_store import add_signature

    client = RegistryClient(reference, access)
    manifest = make_manifest(layer)
    digest = client.put_artifact((layer.data, _CONFIG), manifest)
    signed = add_signature(client, digest, key) if key else False
    if reference.tag:
        client.put_artifact((), manifest, reference.tag)
    return PushedProfile(reference.pin(digest), len(layer.data), signed)


def plan_push(layer: ProfileLayer, reference: Reference) -> PushedProfile:
    """Return what a push would make, without one."""
    return PushedProfile(reference.pin(digest_of(make_manifest(layer))), len(layer.data))


def read_signing_key(path: Path | None, password: str) -> EllipticCurvePrivateKey | None:
    """Read the key of `--sign` before anything is uploaded."""
    return load_private_key(path, password) if path else None
