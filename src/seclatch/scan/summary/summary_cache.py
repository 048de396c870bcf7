"""Cache summaries from one scan to the next: a library is analysed once, not for each program.

The key is a digest of the file's contents and of this program's own code: neither a changed file
nor a changed analysis gets an old summary. Writers make a file of their own and rename it, so that
any number of scans can share the directory.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import struct
import tempfile
from collections import OrderedDict
from pathlib import Path

import msgspec

from seclatch.scan.analysis import library_rules
from seclatch.scan.elf.elf_file import ElfError
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.summary.summarize_file import FileSummary, summarize_file

_RECENT, _AT_HAND = 48, 1 << 23
"""How many summaries are kept in memory, and of files of how many bytes at most."""


@functools.cache
def digest_analysis() -> str:
    """Return a digest of the analysis itself: its Python files, and the library rules."""
    digest = hashlib.sha256(library_rules.read_rule_files())
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def find_cache_directory() -> Path:
    """Return `$XDG_CACHE_HOME/seclatch/scan`, by default under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "seclatch" / "scan"


def _analysed(data: bytes) -> FileSummary:
    """Analyse a file; an error that no check foresees means a damaged file, too."""
    try:
        return summarize_file(data)
    except (ValueError, IndexError, OverflowError, struct.error) as error:
        if os.environ.get("SECLATCH_DEBUG"):
            raise
        raise ElfError(f"damaged: {type(error).__name__}: {error}") from error


class SummaryCache:
    """Returns a file's summary, from the directory or by analysis. No directory: no cache."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self.fresh = 0
        """How many files had to be analysed."""
        self._recent: OrderedDict[tuple[Rootfs, str], FileSummary] = OrderedDict()

    def file(self, rootfs: Rootfs, path: str) -> FileSummary | None:
        """Return the summary of a file in a root directory; None if there is none. Raises ElfError.

        The file must not change meanwhile. Recent ones are kept in memory: most programs share
        them.
        """
        key = (rootfs, path)
        found = self._recent.get(key)
        if found is None:
            data = rootfs.read(path)
            if data is None:
                return None
            found = self.summary(data)
            if len(data) > _AT_HAND:
                return found
            self._recent[key] = found
        self._recent.move_to_end(key)
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return found

    def summary(self, data: bytes) -> FileSummary:
        """Find or make the summary of a file's contents. Raises ElfError."""
        if data[:4] != b"\x7fELF":
            raise ElfError("no ELF file")
        name = f"{hashlib.sha256(data).hexdigest()}-{digest_analysis()}"
        found = self._read(name)
        if found is None:
            found = _analysed(data)
            self.fresh += 1
            self._write(name, found)
        return found

    def _read(self, name: str) -> FileSummary | None:
        if self._directory is None:
            return None
        try:
            text = (self._directory / name).read_bytes()
            return msgspec.msgpack.decode(text, type=FileSummary)
        except (OSError, msgspec.MsgspecError):
            return None  # not there, or damaged: it is made anew

    def _write(self, name: str, summary: FileSummary) -> None:
        """Store a summary; a cache that cannot be written is only slower."""
        if self._directory is None:
            return
        with contextlib.suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=self._directory, delete=False) as file:
                try:
                    file.write(msgspec.msgpack.encode(summary))
                    file.close()
                    Path(file.name).rename(self._directory / name)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
