"""Push the counts of recordings: merged by image and container name, without command lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from seclatch.errors import SeclatchError
from seclatch.fleet.counts_artifact import (
    CONFIG,
    MAX_LAYER,
    counts_tag,
    make_counts_manifest,
    require_small,
)
from seclatch.model.recording.merge_recordings import ContainerGroup
from seclatch.model.recording.recording import Recording
from seclatch.model.recording.shared_counts import strip_recording
from seclatch.recording.files.recording_file import encode_recording
from seclatch.registry.reference import Reference
from seclatch.registry.registry_client import RegistryClient
from seclatch.registry.registry_http import RegistryAccess
from seclatch.registry.signature_store import add_signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_ENCODED = Path("counts.json.gz")


def list_layers(
    merged: Mapping[ContainerGroup, Recording],
) -> list[tuple[ContainerGroup, bytes]]:
    """Return what is pushed of merged recordings. Raises SeclatchError for one that is too large.

    Recordings whose image is not known are left out: nobody could ask for them.
    """
    found = []
    for group, recording in sorted(merged.items()):
        if not group.images:
            continue
        layer = encode_recording(_ENCODED, strip_recording(recording))
        require_small(layer, str(group))
        if len(layer) > MAX_LAYER:
            raise SeclatchError(
                f"pushing the counts of {group}: {len(layer)} bytes, more than {MAX_LAYER}",
                remedy="record with fewer arguments (--args)",
                status=2,
            )
        found.append((group, layer))
    return found


def push_counts(
    layers: list[tuple[ContainerGroup, bytes]],
    repository: Reference,
    access: RegistryAccess,
    node: str,
    key: EllipticCurvePrivateKey | None = None,
) -> Iterator[tuple[ContainerGroup, Reference]]:
    """Upload each under the node's tag, which replaces what the node pushed before."""
    client = RegistryClient(repository, access)
    for group, layer in layers:
        manifest = make_counts_manifest(layer)
        if key is not None:
            digest = client.put_artifact((layer, CONFIG), manifest)
            add_signature(client, digest, key)
        tag = counts_tag(group, node)
        client.put_artifact((layer, CONFIG), manifest, tag)
        yield group, repository.with_tag(tag)
