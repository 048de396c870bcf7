"""Open images: an OCI layout (directory or archive), a docker-archive, or an engine's image.

These are what `docker save`, `podman save`, `skopeo copy` and `buildah push` write.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from seclatch.errors import InputError, SeclatchError
from seclatch.scan.image.image_command import ImageCommand
from seclatch.scan.image.layers import ArchiveBoundError, BoundedMember, LayerUnpacker
from seclatch.system.openat2 import open_in_root

_DOCUMENT = 16 << 20
_BLOBS = 200_000
_DIGESTS = 64
_ZSTD = b"\x28\xb5\x2f\xfd"
_AGAIN = "the file is damaged or incomplete: save or download it again"
_ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class UnpackedImage:
    """An image, unpacked: its root directory, its command, and its digests, the main one first."""

    directory: Path
    command: ImageCommand
    digests: tuple[str, ...] = ()


class _Files(Protocol):
    """The files of a layout or an archive, by name."""

    def read(self, name: str) -> BinaryIO | None:
        """Open a file; None if there is none."""
        ...


class _Directory:
    def __init__(self, root: int) -> None:
        self._root = root

    def read(self, name: str) -> BinaryIO | None:
        """Open a regular file below the directory; links and `..` do not lead out of it."""
        if "\0" in name:
            return None
        try:
            fd = open_in_root(self._root, name, os.O_RDONLY | os.O_NONBLOCK)
        except (OSError, UnicodeEncodeError):
            return None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            return None
        return os.fdopen(fd, "rb")


class _Archive:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        members = itertools.islice(archive, _BLOBS + 1)
        self._members = {member.name.removeprefix("./"): member for member in members}
        if len(self._members) > _BLOBS:
            raise ArchiveBoundError("it holds more files than any image's")

    def read(self, name: str) -> BinaryIO | None:
        """Open a regular file of the archive; links in it are followed within it."""
        member = self._members.get(name.removeprefix("./"))
        for _ in range(4):
            if member is None or not member.issym():
                break
            target = os.path.normpath(os.path.join(os.path.dirname(member.name), member.linkname))  # noqa: PTH118, PTH120
            member = self._members.get(target)
        if member is None or not (member.isreg() or member.islnk()):
            return None
        return cast("BinaryIO | None", self._archive.extractfile(member))


def _make_archive_error(path: Path, error: Exception) -> InputError:
    if isinstance(error, OSError) and error.strerror:
        return InputError(str(path), "", f"cannot read it: {error.strerror}")
    if isinstance(error, ArchiveBoundError):
        return InputError(str(path), "", str(error))
    remedy = "give what `docker save` or `podman save` wrote, or an OCI layout"
    with contextlib.suppress(OSError), path.open("rb") as file:
        if file.read(4) == b"\x7fELF":
            root = "scan its root directory: seclatch scan --entrypoint"
            remedy = f"it is a program; {root} {path.resolve()} /"
    return InputError(str(path), "", "no archive of an image", remedy=remedy)


def _require_file(path: Path) -> None:
    """Refuse devices and pipes: some have no end, and an archive is read more than once."""
    with contextlib.suppress(OSError):  # reported when it is opened
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(
                str(path), "", "neither a file nor a directory", remedy="save the image to a file"
            )


@contextlib.contextmanager
def open_image(path: Path, arch: str) -> Iterator[UnpackedImage]:
    """Unpack an image, for the time of the context. Raises InputError.

    `arch` (`x86_64`, `aarch64`) chooses where there are several.
    """
    source = str(path)
    with contextlib.ExitStack() as stack:
        if path.is_dir():
            root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, root)
            files: _Files = _Directory(root)
        else:
            _require_file(path)
            try:
                files = _Archive(stack.enter_context(tarfile.open(path, tarinfo=BoundedMember)))
            except _list_archive_errors() as error:
                raise _make_archive_error(path, error) from error
        reader = _LayoutReader(files, source, arch)
        layers, config, digest = reader.image()
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seclatch-scan-")))
        reader.unpack(layers, place)
        digests = tuple(dict.fromkeys((digest, *reader.digests)))
        yield UnpackedImage(place, _read_command(config), digests[:_DIGESTS])


@contextlib.contextmanager
def save_image(name: str) -> Iterator[Path]:
    """Request an image by name from the installed engines; yield an archive of it."""
    engines = [engine_name for engine_name in ("docker", "podman") if shutil.which(engine_name)]
    said = []
    with tempfile.TemporaryDirectory(prefix="seclatch-scan-") as directory:
        for engine in engines:
            path = Path(directory) / "image.tar"
            done = subprocess.run(
                [engine, "save", "-o", str(path), "--", name],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                errors="replace",
            )
            if done.returncode == 0 and path.exists():
                yield path
                return
            said.append(f"{engine}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    raise SeclatchError(
        f"{name} is neither a path nor an image of an engine here"
        + (f" ({'; '.join(said)})" if said else " (there is neither docker nor podman)"),
        remedy="give a root directory, an OCI layout, an archive, or the name of an image that "
        "docker or podman has here",
        status=2,
    )


class _LayoutReader:
    def __init__(self, files: _Files, source: str, arch: str) -> None:
        self._files = files
        self._source = source
        self._arch = arch
        self.digests: list[str] = []

    def image(self) -> tuple[list[str], dict[str, Any], str]:
        """Return the names of the layers' files, the configuration, and the digest."""
        manifest = self._read_json("manifest.json", required=False)
        if isinstance(manifest, list) and manifest:
            first = self._require_object(manifest[0], "manifest.json")
            name = str(first.get("Config", ""))
            rows = first.get("Layers") or []
            if not isinstance(rows, list):
                raise InputError(self._source, "manifest.json", "Layers is no list of names")
            layers = [str(row) for row in rows]
            digest = "sha256:" + Path(name).name.removesuffix(".json")
            self._note_manifests(self._read_json("index.json", required=False))
            return layers, self._require_object(self._read_json(name), name), digest
        index = self._require_object(self._read_json("index.json"), "index.json")
        return self._read_oci(index, "index.json", 0)

    def _read_oci(
        self, document: dict[str, Any], place: str, depth: int
    ) -> tuple[list[str], dict[str, Any], str]:
        """Descend from an index to the manifest of the architecture."""
        manifests = document.get("manifests")
        self._note_manifests(document)
        if isinstance(manifests, list) and manifests and depth < 8:
            chosen = self._require_object(self._choose_manifest(manifests), place)
            name = self._name_blob(chosen, place)
            below = self._require_object(self._read_json(name), name)
            if "manifests" in below:
                return self._read_oci(below, name, depth + 1)
            config = self._name_blob(self._require_object(below.get("config"), name), name)
            self.digests.append(str(below["config"]["digest"]))
            rows = below.get("layers")
            layers = [
                self._name_blob(self._require_object(row, name), name)
                for row in (rows if isinstance(rows, list) else [])
            ]
            return (
                layers,
                self._require_object(self._read_json(config), config),
                str(chosen.get("digest", "")),
            )
        raise InputError(self._source, place, "names no image")

    def _note_manifests(self, index: Any) -> None:
        """Note the digests of an index's manifests: engines know the image by one of them."""
        rows = index.get("manifests") if isinstance(index, dict) else None
        for row in rows[:_DIGESTS] if isinstance(rows, list) else ():
            if isinstance(row, dict) and isinstance(row.get("digest"), str):
                self.digests.append(row["digest"])

    def _choose_manifest(self, manifests: list[Any]) -> Any:
        wanted = _ARCHES.get(self._arch, self._arch)
        for manifest in manifests:
            platform = manifest.get("platform") if isinstance(manifest, dict) else None
            if isinstance(platform, dict) and platform.get("architecture") == wanted:
                return manifest
        return manifests[0]

    def _name_blob(self, descriptor: dict[str, Any], place: str) -> str:
        digest = str(descriptor.get("digest", ""))
        algorithm, _, value = digest.partition(":")
        if not (algorithm.isalnum() and value.isalnum()):
            raise InputError(self._source, place, f"{digest[:100]!r} is no digest")
        return f"blobs/{algorithm}/{value}"

    def _read_json(self, name: str, *, required: bool = True) -> Any:
        file = self._files.read(name)
        if file is None:
            if not required:
                return None
            raise InputError(
                self._source,
                name,
                "is missing: neither an OCI layout nor a docker-archive",
                remedy="give a root directory, or what `docker save` or `podman save` wrote",
            )
        try:
            with file:
                text = file.read(_DOCUMENT)
        except _list_archive_errors() as error:
            problem = f"cannot be read: {error}"
            raise InputError(self._source, name, problem, remedy=_AGAIN) from error
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(self._source, name, f"is no JSON: {error}", remedy=_AGAIN) from error

    def _require_object(self, value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise InputError(self._source, place, "violates the image specification")
        return value

    def unpack(self, layers: list[str], place: Path) -> None:
        """Unpack the layers in order."""
        root = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            unpacker = LayerUnpacker(root, self._source)
            for name in layers:
                self._unpack_layer(unpacker, name)
        finally:
            os.close(root)

    def _unpack_layer(self, unpacker: LayerUnpacker, name: str) -> None:
        file = self._files.read(name)
        if file is None:
            raise InputError(self._source, name, "a layer is missing", remedy=_AGAIN)
        try:
            with file, _open_stream(_decompress(file)) as archive:
                unpacker.layer(archive)
        except _list_archive_errors() as error:
            raise InputError(
                self._source, name, f"the layer cannot be unpacked: {error}", remedy=_AGAIN
            ) from error


def _list_archive_errors() -> tuple[type[Exception], ...]:
    """Return what the readers of archives raise for bytes that are invalid, truncated or changed.

    None of them converts another's error into its own: tarfile passes zlib's on, and gzip does,
    too.
    """
    errors = [tarfile.TarError, OSError, EOFError, ValueError, OverflowError, zlib.error, LZMAError]
    if zstandard := sys.modules.get("zstandard"):  # else it was not needed
        errors.append(zstandard.ZstdError)
    return tuple(errors)


def _open_stream(file: BinaryIO) -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="r|", tarinfo=BoundedMember)


def _decompress(file: BinaryIO) -> BinaryIO:
    """Return a layer's archive without its compression."""
    head = file.read(4)
    file.seek(0)
    if head[:2] == b"\x1f\x8b":
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if head == _ZSTD:
        import zstandard

        stream = zstandard.ZstdDecompressor().stream_reader(file)
        return cast(BinaryIO, io.BufferedReader(stream))
    return file


def _read_command(config: dict[str, Any]) -> ImageCommand:
    inner = config.get("config")
    inner = inner if isinstance(inner, dict) else {}

    def words(key: str) -> list[str]:
        value = inner.get(key)
        return [str(item) for item in value] if isinstance(value, list) else []

    pairs = (word.partition("=") for word in words("Env"))
    return ImageCommand(
        words=(*words("Entrypoint"), *words("Cmd")),
        environment=tuple((name, value) for name, _, value in pairs),
        directory=str(inner.get("WorkingDir") or "/"),
        health=_read_health(inner.get("Healthcheck"), words("Shell")),
    )


def _read_health(check: Any, shell: list[str]) -> tuple[str, ...]:
    """Return the words of a HEALTHCHECK: ["CMD", WORD...], ["CMD-SHELL", TEXT] or ["NONE"]."""
    test = check.get("Test") if isinstance(check, dict) else None
    words = [str(word) for word in test] if isinstance(test, list) else []
    if words[:1] == ["CMD"]:
        return tuple(words[1:])
    if words[:1] == ["CMD-SHELL"] and len(words) > 1:
        return (*(shell or ["/bin/sh", "-c"]), words[1])
    return ()
