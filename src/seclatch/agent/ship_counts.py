"""Send the counts of a host's recordings to a registry, and keep only what is needed for that.

A registry has one tag a node, image and container name, which the next push replaces. So the node
keeps what it has counted so far, one file for each, into which new recordings are merged; then the
recordings are removed.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from seclatch.errors import InputError, SeclatchError
from seclatch.fleet.push_counts import list_layers, push_counts
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.model.recording.merge_recordings import ContainerGroup, merge_recordings
from seclatch.model.recording.recording import Recording
from seclatch.model.recording.shared_counts import strip_recording
from seclatch.output.result_file import replace_file
from seclatch.recording.annotated.spool import RecordingSpool
from seclatch.recording.files.merge_files import ByContainer, merge_files
from seclatch.recording.files.recording_file import encode_recording
from seclatch.registry.reference import Reference
from seclatch.registry.registry_http import RegistryAccess

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

SUFFIX = ".json.gz"
AT_ONCE = 250
"""Recordings of one round; the next takes the rest."""

_MAX_BROKEN = 10


@dataclass(frozen=True, slots=True)
class ShipWish:
    """From where, to where, under which name, how many of a hundred; and the limit on disk."""

    recordings: Path
    counts: Path
    repository: Reference
    node: str
    percent: float = 100.0
    most_bytes: int = 64 << 20
    key: EllipticCurvePrivateKey | None = None


@dataclass(slots=True)
class ShippedCounts:
    """What one round did; `failed` has a sentence for each file or push."""

    pushed: list[str] = field(default_factory=list)
    merged: int = 0
    sampled_out: int = 0
    dropped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def ship_counts(
    wish: ShipWish,
    access: RegistryAccess,
    end_in_time: Callable[[str], AbstractContextManager[None]],
) -> ShippedCounts:
    """Merge new recordings into the node's counts, push those that changed, and bound the disk."""
    done = ShippedCounts()
    _make_private(wish.counts)
    for path in _list_finished(wish.recordings)[:AT_ONCE]:
        _merge_one(wish, path, done)
    _drop_oldest(wish, done)
    for path in sorted(wish.counts.glob(f"*{SUFFIX}")):
        if not _pushed_mark(path).exists():
            _push_one(wish, path, access, end_in_time, done)
    return done


def is_sampled(group: ContainerGroup, node: str, percent: float) -> bool:
    """Return whether this node sends the counts of this image: the same answer each time.

    By a hash of both, so that each image is recorded on other nodes.
    """
    digest = _hash(f"{node}\0{group.images}\0{group.names}")
    return int.from_bytes(digest[:8]) < percent / 100 * 2**64


def _merge_one(wish: ShipWish, path: Path, done: ShippedCounts) -> None:
    """Merge a recording into the counts of its image, then remove it."""
    try:
        for group, recording in merge_files((path,)).items():
            if group.images and is_sampled(group, wish.node, wish.percent):
                _add(wish, group, recording)
                done.merged += 1
            else:
                done.sampled_out += 1
        path.unlink()
    except InputError as error:
        done.failed.append(f"{path.name}: {error}")
        _set_aside(path)
    except (SeclatchError, OSError) as error:
        done.failed.append(f"{path.name}: {error}")


def _add(wish: ShipWish, group: ContainerGroup, recording: Recording) -> None:
    place = wish.counts / f"{_name(group)}{SUFFIX}"
    parts = [recording]
    if place.exists():
        parts += _read(place).values()
    stripped = strip_recording(merge_recordings(parts))
    _pushed_mark(place).unlink(missing_ok=True)
    replace_file(place, encode_recording(place, stripped), lasting=True)
    place.chmod(0o600)


def _push_one(
    wish: ShipWish,
    path: Path,
    access: RegistryAccess,
    end_in_time: Callable[[str], AbstractContextManager[None]],
    done: ShippedCounts,
) -> None:
    try:
        layers = list_layers(_read(path))
        with end_in_time(f"pushing to {wish.repository}"):
            for _, reference in push_counts(layers, wish.repository, access, wish.node, wish.key):
                done.pushed.append(str(reference))
        _pushed_mark(path).touch()
    except (SeclatchError, OSError) as error:
        done.failed.append(f"{path.name}: {error}")


def _list_finished(folder: Path) -> list[Path]:
    """List the recordings that no recorder will write to again, oldest first."""
    found = sorted(folder.glob(f"*{SUFFIX}"), key=_modified)
    if not found:
        return []
    # after the listing: a recording that began since has no file in it
    spool = RecordingSpool(RecorderLimits(directory=str(folder)))
    running = spool.list_running()
    return [path for path in found if path.name not in running]


def _set_aside(path: Path) -> None:
    """Rename a file that cannot be read, and keep the newest few of such."""
    with contextlib.suppress(OSError):
        path.replace(path.with_name(f"{path.name}.broken"))
        broken = sorted(path.parent.glob("*.broken"), key=_modified, reverse=True)
        for old in broken[_MAX_BROKEN:]:
            old.unlink()


def _drop_oldest(wish: ShipWish, done: ShippedCounts) -> None:
    """Remove the counts that were not added to for the longest time, beyond the limit."""
    left = wish.most_bytes
    for path in sorted(wish.counts.glob(f"*{SUFFIX}"), key=_modified, reverse=True):
        left -= path.stat().st_size
        if left < 0:
            path.unlink()
            _pushed_mark(path).unlink(missing_ok=True)
            done.dropped.append(path.name)


def _read(path: Path) -> ByContainer:
    return merge_files((path,))


def _name(group: ContainerGroup) -> str:
    return _hash(f"{group.images}\0{group.names}").hex()[:40]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _pushed_mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.pushed")


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise SeclatchError(f"making {folder}: {error.strerror}") from error
