"""Push a profile to a registry as KEP-6061's artifact, and sign it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seclatch.profile.artifact.profile_artifact import LAYER_TYPE, MEDIA_TYPE
from seclatch.registry.artifact_manifest import ArtifactManifest, describe_blob, digest_of
from seclatch.registry.cosign_signature import load_private_key
from seclatch.registry.reference import Reference
from seclatch.registry.registry_client import RegistryClient
from seclatch.registry.registry_http import RegistryAccess

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

IMAGE_ANNOTATION = "io.seclatch.image"
"""The image whose program a profile is for, by digest; the signature covers it."""

_TITLE = "org.opencontainers.image.title"
_FILE_NAME = "seccomp.json"
_CONFIG = b"{}"


@dataclass(frozen=True, slots=True)
class PushedProfile:
    """The reference by digest, the layer's size, and whether a signature was added."""

    reference: Reference
    size: int
    signed: bool = False


def make_manifest(layer: bytes, image: str = "") -> bytes:
    """Return the manifest of a profile's artifact; the same profile has the same digest."""
    manifest = ArtifactManifest(
        describe_blob(_CONFIG, MEDIA_TYPE),
        (describe_blob(layer, LAYER_TYPE, **{_TITLE: _FILE_NAME}),),
        MEDIA_TYPE,
        {IMAGE_ANNOTATION: image} if image else {},
    )
    return manifest.to_bytes()


def push_profile(
    layer: bytes,
    reference: Reference,
    access: RegistryAccess,
    image: str = "",
    key: EllipticCurvePrivateKey | None = None,
) -> PushedProfile:
    """Upload blobs, manifest and signature, in this order, the tag last.

    So a reader who finds a tag finds its signature, too.
    """
    from seclatch.registry.signature_store import add_signature

    client = RegistryClient(reference, access)
    manifest = make_manifest(layer, image)
    digest = client.put_artifact((layer, _CONFIG), manifest)
    signed = add_signature(client, digest, key) if key else False
    if reference.tag:
        client.put_artifact((), manifest, reference.tag)
    return PushedProfile(reference.pin(digest), len(layer), signed)


def plan_push(layer: bytes, reference: Reference, image: str = "") -> PushedProfile:
    """Return what a push would make, without one."""
    return PushedProfile(reference.pin(digest_of(make_manifest(layer, image))), len(layer))


def read_signing_key(path: Path | None, password: str) -> EllipticCurvePrivateKey | None:
    """Read the key of `--sign` before anything is uploaded."""
    return load_private_key(path, password) if path else None
