"""Unpack layers of an image into a directory; nothing is executed, no path leads out of it.

OCI image specification, "Image Layer Filesystem Changeset". Only what a scan reads is kept:
directories, regular files, links. Every path is walked below the root by descriptors, never through
a link, so that no name and no link of an archive leads elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
from collections.abc import Iterator

from seclatch.errors import InputError

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_NO_NAMES = ("", ".", "..")
_MEMBERS = 2_000_000
_BYTES = 1 << 36
_DEPTH = 256
_HEADER = 1 << 20
_FURTHER = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class ArchiveBoundError(tarfile.TarError):
    """An archive exceeds a bound that no real image reaches; the text says which."""


class BoundedMember(tarfile.TarInfo):
    """A member whose further headers (long names, pax) are no larger than any real one's.

    The library reads them as a whole, and a few megabytes of gzip hold gigabytes.
    """

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _FURTHER and self.size > _HEADER:
            raise ArchiveBoundError(f"it has a header of {self.size} bytes")
        following: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return following


class LayerUnpacker:
    """Unpacks layers, one over another, into the directory open at `root`."""

    def __init__(self, root: int, source: str) -> None:
        self._root = root
        self._source = source
        self._members = 0
        self._bytes = 0
        space = os.fstatvfs(root)
        self._most = min(_BYTES, space.f_bavail * space.f_frsize // 2)

    def layer(self, archive: tarfile.TarFile) -> None:
        """Apply one layer."""
        for member in archive:
            self._members += 1
            self._bytes += max(0, member.size) if member.isreg() else 0
            if self._members > _MEMBERS or self._bytes > self._most:
                raise InputError(
                    self._source,
                    member.name[:200],
                    "the image is larger than any real one, or than half of the space that is free",
                    remedy="set TMPDIR to a place with room, or unpack it and scan the directory",
                )
            self._apply_member(archive, member)

    def _apply_member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        parts = _split_path(member.name)
        if not parts or len(parts) > _DEPTH:
            return
        with self._open_directory(parts[:-1]) as parent:
            name = parts[-1]
            if name == _OPAQUE:
                self._empty_directory(parent)
            elif name.startswith(_WHITEOUT):
                self._apply_whiteout(parent, name)
            elif member.isdir():
                self._make_directory(parent, name)
            elif member.isreg():
                _remove(parent, name)
                self._write_file(archive, member, parent, name)
            elif member.issym():
                _remove(parent, name)
                os.symlink(member.linkname, name, dir_fd=parent)
            elif member.islnk():
                self._make_hard_link(member, parent, name)

    def _apply_whiteout(self, parent: int, name: str) -> None:
        """Remove the file that a whiteout names; `.wh...` would name `..`, which is no file."""
        of = name.removeprefix(_WHITEOUT)
        if of in _NO_NAMES:
            raise InputError(self._source, name, "a whiteout that names no file")
        _remove(parent, of)

    def _write_file(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, parent: int, name: str
    ) -> None:
        source = archive.extractfile(member)
        if source is None:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        # Never set-user-ID: these files belong to the user who scans.
        fd = os.open(name, flags, 0o600 | member.mode & 0o111, dir_fd=parent)
        with os.fdopen(fd, "wb") as file:
            shutil.copyfileobj(source, file)

    def _make_hard_link(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        parts = _split_path(member.linkname)
        if not parts:
            return
        with self._open_directory(parts[:-1]) as other, contextlib.suppress(FileNotFoundError):
            if other != parent or parts[-1] != name:
                _remove(parent, name)
            os.link(parts[-1], name, src_dir_fd=other, dst_dir_fd=parent, follow_symlinks=False)

    def _make_directory(self, parent: int, name: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            if not _is_directory(parent, name):
                _remove(parent, name)
                os.mkdir(name, 0o700, dir_fd=parent)

    def _empty_directory(self, parent: int) -> None:
        for name in os.listdir(parent):
            _remove(parent, name)

    @contextlib.contextmanager
    def _open_directory(self, parts: list[str]) -> Iterator[int]:
        """Walk to a directory and make what is missing.

        A link on the way is followed as inside of the image (`/lib` is often one to `usr/lib`).
        """
        fd = os.dup(self._root)
        walked: list[str] = []
        pending = list(parts)
        links = 0
        try:
            while pending:
                part = pending.pop(0)
                link = _read_link(fd, part)
                if link is not None and links < 40:
                    links += 1
                    # A link's target counts from the root, or from where the link is.
                    start = [] if link.startswith("/") else walked
                    pending = _split_path("/".join([*start, link])) + pending
                    walked = []
                    os.close(fd)
                    fd = os.dup(self._root)
                    continue
                self._make_directory(fd, part)
                following = os.open(
                    part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd
                )
                os.close(fd)
                fd = following
                walked.append(part)
            yield fd
        finally:
            os.close(fd)


def _split_path(name: str) -> list[str]:
    """Return the components of a path below the root; `..` never leads above it."""
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return parts


def _read_link(parent: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError:
        return None


def _is_directory(parent: int, name: str) -> bool:
    try:
        os.close(os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent))
    except OSError:
        return False
    return True


def _remove(parent: int, name: str) -> None:
    """Remove the file or directory of this name in a directory, if there is one."""
    if name in _NO_NAMES or "/" in name:
        raise ValueError(f"{name!r} is no name within a directory")
    with contextlib.suppress(FileNotFoundError):
        if _is_directory(parent, name):
            shutil.rmtree(name, dir_fd=parent)
        else:
            os.unlink(name, dir_fd=parent)
