"""Read an untrusted root directory; no path leads out of it."""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from pathlib import Path

from seclatch.errors import InputError, SeclatchError
from seclatch.system.openat2 import open_in_root

LARGEST = 1 << 29
"""Bytes of a file that are read; larger ones are refused."""


class Rootfs:
    """A root directory. Paths are as in the container: absolute, `/` is the root directory."""

    def __init__(self, directory: Path) -> None:
        try:
            self._fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise InputError(
                str(directory),
                "",
                f"is not a root directory: {error.strerror}",
                remedy="give a directory, an OCI layout, or an archive of an image",
            ) from error
        self._host = _path_of(self._fd).rstrip("/")

    def close(self) -> None:
        """Close the directory's descriptor."""
        os.close(self._fd)

    def resolve(self, path: str) -> str | None:
        """Follow symbolic links to a regular file; None if there is none."""
        fd = self._open(path, os.O_PATH)
        if fd is None:
            return None
        try:
            return self._path_inside(fd) if stat.S_ISREG(os.fstat(fd).st_mode) else None
        finally:
            os.close(fd)

    def read(self, path: str, limit: int = LARGEST) -> bytes | None:
        """Return the contents of a regular file; None if there is none or it exceeds `limit`."""
        with self._open_regular(path) as fd:
            if fd is None or os.fstat(fd).st_size > limit:
                return None
            with os.fdopen(os.dup(fd), "rb") as file:
                return file.read(limit + 1)

    def head(self, path: str, size: int) -> bytes:
        """Return the first bytes of a regular file; empty if there is none."""
        with self._open_regular(path) as fd:
            return b"" if fd is None else os.read(fd, size)

    @contextlib.contextmanager
    def _open_regular(self, path: str) -> Iterator[int | None]:
        """Open a regular file; None for anything else."""
        # O_NONBLOCK: a FIFO in an image must not stop the scan.
        fd = self._open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            yield fd if fd is not None and stat.S_ISREG(os.fstat(fd).st_mode) else None
        finally:
            if fd is not None:
                os.close(fd)

    def executables(self) -> Iterator[str]:
        """Yield every executable regular file, links not followed, in order of directories.

        Directories that may not be read, or are removed meanwhile, are left out.
        """
        work = ["."]
        while work:
            directory = work.pop()
            found = self._list_entries(directory)
            work += [posixpath.join(directory, name) for name, kind in reversed(found) if not kind]
            for name, kind in found:
                if kind:
                    yield posixpath.normpath(posixpath.join("/", directory, name))

    def _list_entries(self, directory: str) -> list[tuple[str, bool]]:
        """Return the names of directories and of executables (True) in a directory, sorted."""
        found: list[tuple[str, bool]] = []
        with contextlib.suppress(OSError):
            fd = open_in_root(self._fd, directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                for name in os.listdir(fd):  # noqa: PTH208 (by descriptor)
                    with contextlib.suppress(OSError):
                        mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
                        if stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and mode & 0o111):
                            found.append((name, stat.S_ISREG(mode)))
            finally:
                os.close(fd)
        return sorted(found)

    def text(self, path: str) -> str:
        """Return a small configuration file as text; empty if there is none."""
        return (self.read(path, 1 << 20) or b"").decode("utf-8", "surrogateescape")

    def names(self, path: str) -> list[str]:
        """Return the names in a directory, sorted; none if it is no directory."""
        fd = self._open(path, os.O_RDONLY | os.O_DIRECTORY)
        if fd is None:
            return []
        try:
            return sorted(os.listdir(fd))  # noqa: PTH208 (by descriptor)
        finally:
            os.close(fd)

    def entries(self, path: str, seen: set[tuple[int, int]]) -> list[tuple[str, bool]]:
        """Return the names in a directory, sorted, with True for what may lead to a directory.

        None for a directory that was `seen`: links may form cycles.
        """
        fd = self._open(path, os.O_RDONLY | os.O_DIRECTORY)
        if fd is None:
            return []
        try:
            status = os.fstat(fd)
            if (status.st_dev, status.st_ino) in seen:
                return []
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(fd) as found:
                return sorted((entry.name, self._may_be_directory(path, entry)) for entry in found)
        finally:
            os.close(fd)

    def _may_be_directory(self, path: str, entry: os.DirEntry[str]) -> bool:
        if not entry.is_symlink():
            return entry.is_dir(follow_symlinks=False)
        return self.is_directory(posixpath.join(path, entry.name))

    def is_directory(self, path: str) -> bool:
        """Return whether there is a directory."""
        fd = self._open(path, os.O_PATH | os.O_DIRECTORY)
        if fd is not None:
            os.close(fd)
        return fd is not None

    def is_executable(self, path: str) -> bool:
        """Return whether there is a regular file with an execute permission."""
        fd = self._open(path, os.O_PATH)
        if fd is None:
            return False
        try:
            mode = os.fstat(fd).st_mode
            return stat.S_ISREG(mode) and bool(mode & 0o111)
        finally:
            os.close(fd)

    def _path_inside(self, fd: int) -> str:
        return _path_of(fd).removeprefix(self._host) or "/"

    def _open(self, path: str, flags: int) -> int | None:
        if "\0" in path:
            return None
        try:
            return open_in_root(self._fd, path, flags)
        except UnicodeEncodeError:
            return None  # JSON's escapes can make a lone surrogate, which no file's name has
        except OSError as error:
            if error.errno == errno.ENOSYS:
                raise SeclatchError(
                    "cannot read in a root directory safely: openat2(2) is missing",
                    remedy="scanning needs Linux 5.6 or later, and no filter that denies openat2",
                ) from error
            return None


def _path_of(fd: int) -> str:
    return str(Path(f"/proc/self/fd/{fd}").readlink())
