"""Check that recordings and a scan are of one image, and find what was executed and not scanned."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping

from seclatch.errors import SeclatchError
from seclatch.model.recording.merge_recordings import identify_images
from seclatch.model.recording.origin import ContainerImage
from seclatch.model.recording.recorded_programs import list_executed
from seclatch.model.recording.recording import Recording
from seclatch.model.scan import Scan

_MOST = 10
_NAME_REMEDY = "choose by `generate --container NAME`, or --any-image if they belong together"
_REMEDY = "give those of one image, or --any-image if they belong together all the same"


def require_one_image(
    recordings: Mapping[str, Recording], scan: Scan | None = None, scan_file: str = ""
) -> None:
    """Raise SeclatchError for recordings of different images or containers, or another's scan.

    What is not known (programs outside of containers, root directories) is taken to belong to it.
    """
    images: dict[str, str] = {}
    for name, recording in recordings.items():
        if known := identify_images(recording):
            images.setdefault(known, name)
    if len(images) > 1:
        (one, first), (other, second) = list(images.items())[:2]
        raise SeclatchError(
            f"the recordings are of different images: {first} of {one}, {second} of {other}",
            remedy=_REMEDY,
            status=2,
        )
    _require_one_name(recordings)
    if scan is not None:
        _require_scan_of_it(recordings, scan, scan_file)


def require_one_architecture(
    recordings: Mapping[str, Recording], scan: Scan | None = None, scan_file: str = ""
) -> None:
    """Raise SeclatchError for recordings of several architectures, or a scan of another one."""
    recorded: dict[str, str] = {}
    for name, recording in recordings.items():
        for host in recording.hosts:
            recorded.setdefault(host.arch, name)
    if len(recorded) > 1:
        (one, first), (other, second) = list(recorded.items())[:2]
        raise SeclatchError(
            f"recorded on different architectures: {first} on {one}, {second} on {other}",
            remedy="make a profile of each, or one that has both by `generate --also ARCH`",
            status=2,
        )
    for arch, name in recorded.items():
        require_architecture(arch, name, scan, scan_file)


def require_architecture(arch: str, name: str, scan: Scan | None, scan_file: str) -> None:
    """Raise SeclatchError for a scan that has programs of other architectures alone."""
    scanned = sorted({program.arch for program in scan.programs}) if scan else []
    if scanned and arch not in scanned:
        raise SeclatchError(
            f"the scan is of another architecture: {scan_file} of {', '.join(scanned)}, "
            f"{name} of {arch}",
            remedy="scan the programs of that architecture (`scan --arch`)",
            status=2,
        )


def describe_other_image(
    images: Iterable[ContainerImage], scan: Scan
) -> Iterator[tuple[str, str, str]]:
    """Yield name and digest of recorded images that are not the scanned one, and its digest."""
    scanned = {*scan.digests, scan.digest} - {""}
    for image in images:
        recorded = {image.id, image.digest} - {""}
        if scanned and recorded and not scanned & recorded:
            yield image.name, sorted(recorded)[0], sorted(scanned)[0]


def _require_one_name(recordings: Mapping[str, Recording]) -> None:
    """Raise SeclatchError for containers of different names: init container and sidecar, say."""
    names: dict[tuple[str, ...], str] = {}
    for name, recording in recordings.items():
        if recording.container_names:
            names.setdefault(tuple(recording.container_names), name)
    if len(names) > 1:
        listed = ", ".join(f"{' '.join(words)} in {file}" for words, file in [*names.items()][:4])
        raise SeclatchError(
            f"the recordings are of different containers of pods: {listed}",
            remedy=_NAME_REMEDY,
            status=2,
        )


def _require_scan_of_it(recordings: Mapping[str, Recording], scan: Scan, scan_file: str) -> None:
    for name, recording in recordings.items():
        for image, recorded, scanned in describe_other_image(recording.images, scan):
            raise SeclatchError(
                f"the scan is of another image than the recording: {scan_file} of "
                f"{scan.source} {scanned}, {name} of {image} {recorded}",
                remedy=f"scan the image that was recorded; {_REMEDY}",
                status=2,
            )


def list_unscanned(recordings: Iterable[Recording], scan: Scan) -> list[str]:
    """Return the programs that recordings show as executed and the scan does not have.

    A path is compared whole, but for /bin and the like, which are links into /usr; a relative one,
    and any with a scan that does not say by which paths it followed programs, by its last part.
    """
    followed = {_strip_usr(path) for path in (*scan.followed, *(p.path for p in scan.programs))}
    names = {posixpath.basename(path) for path in followed}
    missing = dict.fromkeys(
        program.exe
        for recording in recordings
        for program in list_executed(recording)
        if not (
            _strip_usr(program.exe) in followed
            or (
                posixpath.basename(program.exe) in names
                and not (scan.followed and program.exe.startswith("/"))
            )
        )
    )
    return sorted(missing)


def describe_unscanned(recordings: Iterable[Recording], scan: Scan) -> Iterator[str]:
    """Say which programs were executed and not scanned."""
    if programs := list_unscanned(recordings, scan):
        more = f" and {len(programs) - _MOST} more" if len(programs) > _MOST else ""
        yield (
            f"executed while recording, and not scanned: {', '.join(programs[:_MOST])}{more}; "
            "`seclatch scan --recording FILE` scans them"
        )


def _strip_usr(path: str) -> str:
    return path.removeprefix("/usr") if path.startswith(("/usr/bin/", "/usr/sbin/")) else path
