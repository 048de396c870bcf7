"""Read files of an untrusted root directory; make a minimal one from busybox."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import struct
from pathlib import Path

from seclatch.errors import InputError, SeclatchError
from seclatch.system.openat2 import open_in_root

_READ_LIMIT = 1 << 20  # bytes; no real /etc/passwd or /etc/group comes near
_FORMAT = 1  # of the minimal rootfs: raise it when its content changes

# elf(5): x86-64 and arm64 are 64-bit, little-endian.
_ELF64_LITTLE = b"\x7fELF\x02\x01"
_SEGMENT_SIZE = 56
_PT_INTERP = 3

_DIRECTORIES = {
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "run": 0o755,
    "sys": 0o755,
    "tmp": 0o1777,
    "usr": 0o755,
    "var": 0o755,
    "var/tmp": 0o1777,
}
_LINKS = {"sbin": "bin", "usr/bin": "../bin", "usr/sbin": "../bin", "var/run": "../run"}
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "daemon:x:1:1:daemon:/:/bin/false\n"
    "nobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\ndaemon:x:1:\ntty:x:5:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}


def read_rootfs_text(rootfs: Path, path: str) -> str:
    """Read a text file of a root directory that may be hostile; "" if it is not there.

    No link leads out of `rootfs`, only a regular file is opened for reading (a FIFO would block, a
    device might act), and no more than 1 MiB is read. Raises InputError, SeclatchError.
    """
    try:
        content = _read_in_root(rootfs, path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise SeclatchError(
            f"cannot read {path} in the rootfs {rootfs}: {error.strerror}",
            remedy="give --user by numbers (UID:GID), or use Linux 5.6 or later"
            if error.errno == errno.ENOSYS  # no openat2(2)
            else "repair that file or give another rootfs",
        ) from error
    if len(content) > _READ_LIMIT:
        raise InputError(f"{rootfs}", path, f"longer than {_READ_LIMIT} bytes")
    return content.decode(errors="replace")


def _read_in_root(rootfs: Path, path: str) -> bytes:
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # O_PATH opens nothing yet: the file's type can be checked before it has any effect.
        handle = open_in_root(root, path, os.O_PATH)
    finally:
        os.close(root)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise InputError(f"{rootfs}", path, "not a regular file")
        with open(f"/proc/self/fd/{handle}", "rb") as file:  # noqa: PTH123 (a handle, not a path)
            return file.read(_READ_LIMIT + 1)
    finally:
        os.close(handle)


def make_minimal_rootfs() -> Path:
    """Return the busybox root directory in the user's cache; make it if it is not there yet.

    It is made beside its place and renamed, so that no other process sees half of it. Its name
    holds busybox's size and time, so that an upgraded busybox gets a new one. Raises SeclatchError.
    """
    busybox = find_busybox()
    status = busybox.stat()
    cache = _cache_directory()
    place = cache / f"rootfs-{_FORMAT}-{status.st_size:x}-{status.st_mtime_ns:x}"
    beside = cache / f".{place.name}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        if place.is_dir():
            return place
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        _populate(beside, busybox)
        _rename_unless_there(beside, place)
    except OSError as error:
        raise SeclatchError(
            f"cannot make the minimal rootfs {place}: {error.strerror}",
            remedy="make room there, set XDG_CACHE_HOME, or give a rootfs with --rootfs DIR",
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return place


def _cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "seclatch"


def _rename_unless_there(source: Path, place: Path) -> None:
    try:
        source.rename(place)
    except OSError:
        if not place.is_dir():  # else another process was quicker, with the same content
            raise


def _populate(root: Path, busybox: Path) -> None:
    """Fill `root`; modes are set explicitly because the caller's umask may be anything."""
    root.mkdir()
    root.chmod(0o755)
    for name, mode in _DIRECTORIES.items():
        (root / name).mkdir()
        (root / name).chmod(mode)
    for name, target in _LINKS.items():
        (root / name).symlink_to(target)
    for name, text in _FILES.items():
        (root / name).write_text(text)
        (root / name).chmod(0o644)
    program = root / "bin/busybox"
    shutil.copyfile(busybox, program)
    program.chmod(0o755)
    for applet in _applets(busybox):
        link = root / "bin" / applet
        if not link.is_symlink() and applet != "busybox":
            link.symlink_to("busybox")


def _applets(busybox: Path) -> list[str]:
    import subprocess

    listing = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=False)
    names = [name for name in listing.stdout.split() if "/" not in name]
    if listing.returncode != 0 or "sh" not in names:
        raise SeclatchError(
            f"{busybox} --list does not list a shell (exit status {listing.returncode})",
            remedy="install busybox-static, or give a rootfs with --rootfs DIR",
        )
    return names


def find_busybox() -> Path:
    """Find a statically linked busybox on this host. Raises SeclatchError."""
    for name in ("busybox", "busybox.static", "busybox-static"):
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/bin:/usr/bin")
        if found and is_static(Path(found)):
            return Path(found).resolve()
    raise SeclatchError(
        "there is no statically linked busybox on this host to make a rootfs of",
        remedy="install it (apt-get install busybox-static), or give a rootfs with --rootfs DIR",
    )


def is_static(program: Path) -> bool:
    """Return whether an ELF program names no interpreter (PT_INTERP) and so needs no library."""
    with program.open("rb") as file:
        header = file.read(64)
        if len(header) < 64 or header[:6] != _ELF64_LITTLE:
            return False
        offset, size, count = struct.unpack_from("<32xQ14xHH", header)
        if size != _SEGMENT_SIZE or offset + size * count > os.fstat(file.fileno()).st_size:
            return False
        file.seek(offset)
        segments = file.read(size * count)
    kinds = [kind for (kind,) in struct.iter_unpack("<I52x", segments)]
    return bool(kinds) and _PT_INTERP not in kinds
