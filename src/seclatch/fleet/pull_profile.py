"""Pull a profile from a registry: pinned, signed, in KEP-6061's format; else it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seclatch.errors import InputError, SeclatchError
from seclatch.fleet.push_profile import IMAGE_ANNOTATION
from seclatch.model.profile.profile import Profile
from seclatch.output.printable_text import clip_printable
from seclatch.profile.artifact.artifact_limits import MAX_BYTES
from seclatch.profile.artifact.profile_artifact import MEDIA_TYPE, read_artifact
from seclatch.registry.artifact_manifest import EMPTY_TYPE, ArtifactManifest, Descriptor
from seclatch.registry.reference import Reference
from seclatch.registry.registry_client import RegistryClient
from seclatch.registry.registry_http import RegistryAccess

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class PullPolicy:
    """What a profile must be. `identity`: the repository that it was signed for, if another."""

    key: Path | None = None
    allow_unsigned: bool = False
    allow_tag: bool = False
    image: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class PulledProfile:
    """A profile that passed: its document byte for byte, and the image that it is for, or ""."""

    reference: Reference
    data: bytes
    profile: Profile
    image: str
    signed: bool


def pull_profile(reference: Reference, access: RegistryAccess, policy: PullPolicy) -> PulledProfile:
    """Fetch and check a profile. Raises SeclatchError; with status 1 where a check refuses it."""
    _require_policy(reference, policy)
    key = _read_key(policy)
    client = RegistryClient(reference, access)
    data, digest = client.get_manifest(reference.digest or reference.tag or "latest")
    pinned = reference.pin(digest)
    if key is not None:
        from seclatch.registry.signature_store import require_signature

        require_signature(client, digest, key, policy.identity or client.reference.name)
    manifest = client.read_manifest(data, digest)
    layer = _find_layer(manifest, pinned)
    image = manifest.annotations.get(IMAGE_ANNOTATION, "")
    if policy.image and image != policy.image:
        found = f"for {clip_printable(image, 200)}" if image else "for no image in particular"
        raise _refuse(pinned, f"the profile is {found}, and not for {policy.image}")
    document = client.get_blob(layer.digest, layer.size, MAX_BYTES)
    try:
        profile = read_artifact(document, str(pinned))
    except InputError as error:  # the user gave a reference, which was in order
        raise SeclatchError(str(error), remedy=error.remedy, status=1) from error
    return PulledProfile(pinned, document, profile, image, policy.key is not None)


def _require_policy(reference: Reference, policy: PullPolicy) -> None:
    if not reference.digest and not policy.allow_tag:
        raise SeclatchError(
            f"{reference}: not pinned by digest: whoever may push can change what it means",
            remedy="give HOST/REPOSITORY@sha256:…, as `seclatch push` prints it, or --allow-tag",
            status=1,
        )
    if policy.key is None and not policy.allow_unsigned:
        raise SeclatchError(
            f"{reference}: no key to verify its signature with",
            remedy="--key FILE: its publisher's public key; or --allow-unsigned",
            status=1,
        )


def _read_key(policy: PullPolicy) -> EllipticCurvePublicKey | None:
    from seclatch.registry.cosign_signature import load_public_key

    return load_public_key(policy.key) if policy.key else None


def _find_layer(manifest: ArtifactManifest, pinned: Reference) -> Descriptor:
    """Return the one layer of a seccomp profile's artifact."""
    config, kind = manifest.config.media_type, manifest.kind
    if config != EMPTY_TYPE and kind and kind != config:
        raise _refuse(pinned, "its artifactType and the type of its config differ")
    declared = kind if config == EMPTY_TYPE else config
    if declared != MEDIA_TYPE:
        raise _refuse(pinned, f"its type is {clip_printable(declared, 80)}, not {MEDIA_TYPE}")
    if len(manifest.layers) != 1:
        raise _refuse(pinned, f"it has {len(manifest.layers)} layers, and a profile has one")
    return manifest.layers[0]


def _refuse(pinned: Reference, problem: str) -> SeclatchError:
    return SeclatchError(f"{pinned}: {problem}", status=1)
