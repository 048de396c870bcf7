"""Pack a directory as an initramfs: the kernel's own format (newc), owner root, no device nodes.

Needs neither root nor cpio. A file may hold several archives in a row; the kernel unpacks them all,
so a part that seldom changes is written once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_FIELDS = "070701" + "{:08x}" * 13


def write(root: Path, target: Path) -> None:
    """Write the directory as an archive: first beside the target, then renamed."""
    part = target.with_suffix(".part")
    with part.open("wb") as file:
        for number, path in enumerate(_entries(root), 1):
            _put(file, number, str(path.relative_to(root)), path.lstat().st_mode, _content(path))
        _put(file, 0, "TRAILER!!!", 0, b"")
        file.write(b"\0" * (-file.tell() % 512))
    part.rename(target)


def _entries(root: Path) -> Iterator[Path]:
    """Yield each directory before its contents, in a fixed order."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        if Path(folder) != root:
            yield Path(folder)
        links = [name for name in folders if Path(folder, name).is_symlink()]
        yield from (Path(folder, name) for name in sorted([*files, *links]))


def _content(path: Path) -> bytes:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return os.fsencode(path.readlink())
    return path.read_bytes() if stat.S_ISREG(mode) else b""


def _put(file: BinaryIO, number: int, name: str, mode: int, content: bytes) -> None:
    raw = os.fsencode(name) + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device and special device, length of name, sum
    header = _FIELDS.format(number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(raw), 0)
    head = header.encode() + raw
    file.write(head + b"\0" * (-len(head) % 4))
    file.write(content + b"\0" * (-len(content) % 4))
