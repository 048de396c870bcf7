"""Fetch the counts that all nodes pushed, and merge them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from seclatch.errors import SeclatchError
from seclatch.fleet.counts_artifact import COUNTS_TYPE, MAX_LAYER, is_counts_tag, require_small
from seclatch.model.recording.shared_counts import find_unshared
from seclatch.recording.files.merge_files import ByContainer, merge_files
from seclatch.registry.reference import Reference
from seclatch.registry.registry_client import RegistryClient
from seclatch.registry.registry_http import RegistryAccess
from seclatch.registry.signature_store import require_signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

_AT_ONCE = 16

MAX_ALL = 1 << 30
"""Bytes of all counts: 100,000 nodes with usual ones."""


class _Space:
    """What may still be written to the temporary directory, by all threads together."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = Lock()

    def take(self, size: int, repository: Reference) -> None:
        """Raise SeclatchError if there is not so much left."""
        with self._lock:
            self._left -= size
            if self._left < 0:
                raise SeclatchError(f"{repository}: more than {MAX_ALL:,} bytes of counts")


@dataclass(frozen=True, slots=True)
class WantedCounts:
    """Which counts: of this image (`sha256:…`) and container name, "" for all; signed by `key`."""

    image: str = ""
    container: str = ""
    key: EllipticCurvePublicKey | None = None


def pull_counts(
    repository: Reference,
    access: RegistryAccess,
    wanted: WantedCounts,
    report_progress: Callable[[int], None] = lambda _: None,
) -> tuple[ByContainer, int]:
    """Return the merged counts by image and container name, and of how many tags they are.

    Raises SeclatchError if there are none, and for the first tag that is not what it should be.
    """
    client = RegistryClient(repository, access)
    tags = [tag for tag in client.list_tags() if is_counts_tag(tag, wanted.image, wanted.container)]
    if not tags:
        of = f" of {wanted.image}" if wanted.image else ""
        raise SeclatchError(
            f"{repository}: no counts{of} there",
            remedy="`seclatch record push` puts a node's there",
            status=1,
        )
    with tempfile.TemporaryDirectory(prefix="seclatch-counts-") as folder:
        paths = _fetch_all(client, tags, wanted, Path(folder))
        merged = merge_files(tuple(paths), report_progress)
    _require_wanted(merged, repository, wanted)
    return merged, len(tags)


def _fetch_all(
    client: RegistryClient, tags: list[str], wanted: WantedCounts, folder: Path
) -> list[Path]:
    """Fetch many at once; an error, or the end of the time, ends all.

    By daemon threads: one that waits for a registry must not keep the program from ending.
    """
    space = _Space(MAX_ALL)

    def fetch(tag: str) -> Path:
        layer = _fetch(client, tag, wanted)
        space.take(len(layer), client.reference)
        path = folder / f"{tag}.json.gz"  # `is_counts_tag` has checked it
        path.write_bytes(layer)
        return path

    with ThreadPool(min(_AT_ONCE, len(tags))) as pool:
        return list(pool.imap(fetch, tags))


def _fetch(client: RegistryClient, tag: str, wanted: WantedCounts) -> bytes:
    """Fetch the counts of one tag."""
    data, digest = client.get_manifest(tag)
    named = f"{client.reference.with_tag(tag)}"
    if wanted.key is not None:
        require_signature(client, digest, wanted.key, client.reference.name)
    manifest = client.read_manifest(data, digest)
    if manifest.config.media_type != COUNTS_TYPE or len(manifest.layers) != 1:
        raise SeclatchError(f"{named}: not the counts of a node", status=1)
    layer = client.get_blob(manifest.layers[0].digest, manifest.layers[0].size, MAX_LAYER)
    require_small(layer, named)
    return layer


def _require_wanted(merged: ByContainer, repository: Reference, wanted: WantedCounts) -> None:
    """Refuse content of another image than its tag says: it would widen this one's profile."""
    for group, recording in merged.items():
        if wanted.image and group.images != wanted.image:
            problem = f"a tag of {wanted.image} has counts of {group}"
            raise SeclatchError(f"{repository}: {problem}", status=1)
        if wanted.container and group.names != wanted.container:
            problem = f"a tag of {wanted.container} has counts of {group}"
            raise SeclatchError(f"{repository}: {problem}", status=1)
        if unshared := find_unshared(recording):
            problem = f"the counts of {group} have {unshared}"
            raise SeclatchError(f"{repository}: {problem}", status=1)
