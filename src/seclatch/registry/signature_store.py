"""Where signatures are: at the tag `sha256-DIGEST.sig` of the same repository, as cosign has them.

Each is a layer of that tag's manifest. Two who sign the same digest at the same moment can lose
one of the two signatures: the registry has no way to add to a manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from seclatch.errors import SeclatchError
from seclatch.registry import cosign_signature
from seclatch.registry.artifact_manifest import ArtifactManifest, Descriptor, describe_blob
from seclatch.registry.registry_client import RegistryClient

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )

MAX_SIGNATURES = 64
"""Signatures of one digest that are looked at."""

_MAX_PAYLOAD = 1 << 16
_CONFIG = "application/vnd.oci.image.config.v1+json"


def signature_tag(digest: str) -> str:
    """Return the tag that has the signatures of a digest."""
    return f"{digest.replace(':', '-')}.sig"


def add_signature(client: RegistryClient, digest: str, key: EllipticCurvePrivateKey) -> bool:
    """Sign a digest and upload that beside the signatures there are.

    Returns False if the key has signed it already.
    """
    old = _list_layers(client, digest)
    if _find_signed(client, old, key.public_key(), client.reference.name, digest) is None:
        return False
    payload = cosign_signature.make_payload(client.reference, digest)
    layer = describe_blob(
        payload,
        cosign_signature.PAYLOAD_TYPE,
        **{cosign_signature.ANNOTATION: cosign_signature.sign_payload(key, payload)},
    )
    layers = (*old, layer)
    config = _make_config(layers)
    manifest = ArtifactManifest(describe_blob(config, _CONFIG), layers)
    client.put_artifact((payload, config), manifest.to_bytes(), signature_tag(digest))
    return True


def require_signature(
    client: RegistryClient, digest: str, key: EllipticCurvePublicKey, name: str
) -> None:
    """Raise SeclatchError unless the key has signed this digest for the repository `name`."""
    layers = _list_layers(client, digest)
    faults = _find_signed(client, layers, key, name, digest)
    if faults is not None:
        raise SeclatchError(
            f"{client.reference.pin(digest)}: {faults}",
            remedy="ask its publisher to sign it: seclatch push --sign KEY, cosign sign --key KEY",
            status=1,
        )


def _find_signed(
    client: RegistryClient,
    layers: tuple[Descriptor, ...],
    key: EllipticCurvePublicKey,
    name: str,
    digest: str,
) -> str | None:
    """Return why there is no signature of this key; None if there is one."""
    if not layers:
        return "it is not signed"
    faults: dict[str, None] = {}
    for layer in layers:
        payload = client.get_blob(layer.digest, layer.size, _MAX_PAYLOAD)
        signature = layer.annotations.get(cosign_signature.ANNOTATION, "")
        if not cosign_signature.is_signed(key, payload, signature):
            faults["not by this key"] = None
        elif fault := cosign_signature.find_payload_fault(payload, name, digest):
            faults[f"by this key, but {fault}"] = None
        else:
            return None
    return f"{len(layers)} signature{'s' * (len(layers) > 1)}, {'; '.join(faults)}"


def _list_layers(client: RegistryClient, digest: str) -> tuple[Descriptor, ...]:
    found = client.find_manifest(signature_tag(digest))
    if found is None:
        return ()
    return tuple(_choose(client.read_manifest(*found)))


def _choose(manifest: ArtifactManifest) -> Iterator[Descriptor]:
    for layer in manifest.layers[:MAX_SIGNATURES]:
        if layer.media_type == cosign_signature.PAYLOAD_TYPE:
            yield layer


def _make_config(layers: tuple[Descriptor, ...]) -> bytes:
    """Return an image configuration: cosign reads layers by the diff_ids of one."""
    document = {
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
    }
    return json.dumps(document, separators=(",", ":")).encode()
