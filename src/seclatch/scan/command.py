"""What an image's command runs: programs by PATH, and what scripts run and name."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from seclatch.scan.program import Target
from seclatch.scan.rootfs import Rootfs

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELLS = re.compile(r"(?:ba|da|a|k|z|mk)?sh|busybox")
_WORD = re.compile(r"[A-Za-z0-9_./+-]+")
_SCRIPT = 1 << 20
_DEPTH = 8
_MOST = 400


@dataclass(frozen=True, slots=True)
class Command:
    """An image's command: its words, environment and working directory."""

    words: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    directory: str = "/"


@dataclass(slots=True)
class Found:
    """Programs to scan, and what could not be followed."""

    targets: dict[str, Target] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Finder:
    """Follows commands to ELF files in a root directory."""

    def __init__(self, rootfs: Rootfs, command: Command) -> None:
        self._rootfs = rootfs
        self._command = command
        path = dict(command.environment).get("PATH") or _PATH
        self._path = [each for each in path.split(":") if each.startswith("/")]
        self.found = Found()

    def follow(self, words: Iterable[str], because: str, depth: int = 0) -> None:
        """Find what a command line runs, and note what is not there."""
        words = tuple(words)
        if not words:
            return
        real = self._lookup(words[0])
        if real is None:
            there = any(self._rootfs.resolve(each) for each in self._places(words[0]))
            what = "in the image, but nobody may execute it" if there else "not in the image"
            self.found.notes.append(f"{words[0]} ({because}) is {what}")
            return
        self._executable(real, because, words[1:], depth)

    def _executable(self, real: str, because: str, rest: tuple[str, ...], depth: int) -> None:
        if real in self.found.targets or depth > _DEPTH or len(self.found.targets) >= _MOST:
            return
        data = self._rootfs.read(real) or b""
        if data[:2] == b"#!":
            self._script(real, data, rest, depth)
        elif data[:4] == b"\x7fELF":
            self.found.targets[real] = Target(real, because, self._command.environment, rest)
            self._shell_words(real, rest, depth)
        elif data and b"\0" not in data[:4096]:
            # A text without a first line for the kernel: shells run it themselves.
            self._script(real, b"#!/bin/sh\n" + data, rest, depth)
        else:
            self.found.notes.append(f"{real} ({because}) is neither ELF nor script")

    def _script(self, real: str, data: bytes, rest: tuple[str, ...], depth: int) -> None:
        line = data[2:256].split(b"\n")[0].decode("utf-8", "surrogateescape").split()
        if not line:
            self.found.notes.append(f"{real} names no interpreter")
            return
        if posixpath.basename(line[0]) == "env":
            self.follow(line[:1], f"interpreter of {real}", depth + 1)
            line = [w for w in line[1:] if not w.startswith("-") and "=" not in w]
        self.follow(line, f"interpreter of {real}", depth + 1)
        if line and _SHELLS.fullmatch(posixpath.basename(line[0])):
            self._commands(data[:_SCRIPT], f"named in {real}", depth)
            self._handed_on(rest, data, real, depth)
        else:
            self.found.notes.append(f"what {real} runs cannot be seen: it is no shell script")

    def _handed_on(self, rest: tuple[str, ...], data: bytes, real: str, depth: int) -> None:
        """`exec "$@"`: the script runs what it is given."""
        if rest and re.search(rb"\$\{?[@*]", data):
            self.follow(rest, f"handed to {real}", depth + 1)

    def _shell_words(self, real: str, rest: tuple[str, ...], depth: int) -> None:
        """`sh -c TEXT` and `sh FILE`."""
        if not _SHELLS.fullmatch(posixpath.basename(real)) or not rest:
            return
        if rest[0].startswith("-") and "c" in rest[0] and len(rest) > 1:
            text = rest[1].encode("utf-8", "surrogateescape")
            self._commands(text, "named in the command", depth)
        else:
            for word in rest:
                if not word.startswith("-"):
                    self.follow([word], f"run by {real}", depth + 1)
                    break

    def _commands(self, text: bytes, because: str, depth: int) -> None:
        """Every word of a shell script that is the name of a program: more than it runs, surely."""
        for word in dict.fromkeys(_words(text.decode("utf-8", "surrogateescape"))):
            real = self._lookup(word)
            if real is not None:
                self._executable(real, because, (), depth + 1)

    def _lookup(self, word: str) -> str | None:
        """Find a command as execvp(3) does; None if there is none that may be executed."""
        for path in self._places(word):
            if self._rootfs.is_executable(path):
                return self._rootfs.resolve(path)
        return None

    def _places(self, word: str) -> list[str]:
        if "/" in word:
            return [posixpath.join(self._command.directory, word)]
        return [posixpath.join(each, word) for each in self._path]


def _words(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from _WORD.findall(re.sub(r"(^|\s)#.*", "", line))
