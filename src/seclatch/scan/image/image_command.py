"""Find what an image's command runs: programs by PATH, and what scripts run and name."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from seclatch.scan.image import exec_wrappers, shell_words
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOADER = re.compile(r"ld-linux[\w-]*\.so\.\d+|ld-\d[\d.]*\.so|ld-musl-\w+\.so\.1|(ld|libc)\.so")
_SCRIPT = 1 << 20
_DEPTH = 8
_MOST = 400
_WORDS = 256


@dataclass(frozen=True, slots=True)
class ImageCommand:
    """An image's command: its words, environment and working directory.

    `health`: the words of its HEALTHCHECK, () for none.
    """

    words: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    directory: str = "/"
    health: tuple[str, ...] = ()


@dataclass(slots=True)
class FoundPrograms:
    """Programs to scan, and notes about what could not be followed.

    `names`: the paths of all programs and scripts that were followed, links as well as their
    targets.
    """

    targets: dict[str, ScanTarget] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    names: dict[str, None] = field(default_factory=dict)


class ProgramFinder:
    """Follows commands to ELF files in a root directory."""

    def __init__(self, rootfs: Rootfs, command: ImageCommand) -> None:
        self._rootfs = rootfs
        self._command = command
        path = dict(command.environment).get("PATH") or _PATH
        self._path = [directory for directory in path.split(":") if directory.startswith("/")]
        self.found = FoundPrograms()
        self._read: set[str] = set()
        self._loading: dict[tuple[str, str], None] = {}
        self._deciding: dict[str, None] = {}

    def targets(self) -> list[ScanTarget]:
        """Return the programs, each with the libraries that any script preloads.

        It may be run from that script. And each once more with the library directories that scripts
        set.
        """
        first = [self._preload_all(target) for target in self.found.targets.values()]
        places = [value for name, value in self._loading if name == shell_words.PLACES]
        known = [place for place in places if shell_words.is_literal(place)]
        for place in sorted({*places} - {*known}):
            self._note(f"what is searched in {place} ({shell_words.PLACES}) is not known")
        return first + [
            _append_variable(target, shell_words.PLACES, known) for target in first if known
        ]

    def _preload_all(self, target: ScanTarget) -> ScanTarget:
        """Set the variables of scripts in a target's environment."""
        unknown = list(target.unknown)
        for name, value in self._loading:
            if name == shell_words.PLACES:
                continue
            if shell_words.is_literal(value):
                target = _append_variable(target, name, [value])
            else:
                unknown.append(f"{value} ({name} in a script)")
        for name in self._deciding:
            target = _append_variable(target, name, [])
        return replace(target, unknown=tuple(unknown))

    def follow(self, words: Iterable[str], because: str, depth: int = 0) -> None:
        """Find what a command line runs, and note what is not there."""
        words = tuple(words)
        if not words:
            return
        path = self._lookup(words[0])
        if path is None:
            there = any(self._rootfs.resolve(place) for place in self._list_places(words[0]))
            what = "in the image, but not executable" if there else "not in the image"
            self._note(f"{words[0]} ({because}) is {what}")
            return
        self._take_executable(path, because, words[1:], depth)

    def take(self, program: str, arguments: Iterable[str], because: str) -> None:
        """Find one program that is known to be executed; what it executes is known as well."""
        path = self._lookup(program)
        if path is None:
            self._note(f"{program} ({because}) is not in the image")
        else:
            self._take_executable(path, because, tuple(arguments), 0, among=True)

    def _take_executable(
        self, path: str, because: str, rest: tuple[str, ...], depth: int, *, among: bool = False
    ) -> None:
        """Take a program, or what a script runs.

        `among` other words of a script, all of which are looked up: its arguments need no
        following.
        """
        real = self._rootfs.resolve(path) or path
        self.found.names |= dict.fromkeys((path, real))
        if depth > _DEPTH:
            self._note(f"{real} ({because}) is left out: it is run by way of {depth} others")
            return
        known = self.found.targets.get(real)
        data = b"" if known else self._rootfs.read(real) or b""
        if known is not None:
            self._add_arguments(known, rest)
        elif data[:4] != b"\x7fELF":
            self._take_script(real, because, data, () if among else rest, depth)
            return
        elif len(self.found.targets) >= _MOST:
            self._note(f"more than {_MOST} programs are named: the others are left out")
            return
        else:
            self.found.targets[real] = ScanTarget(
                real, because, self._command.environment, rest, path, self._command.directory
            )
        if not among:
            self._follow_shell(real, rest, depth)
            self._follow_wrapper(path, rest, depth)
        if _LOADER.fullmatch(posixpath.basename(real)):
            self._follow_loader(real, rest, depth, among=among)

    def _follow_loader(self, real: str, words: tuple[str, ...], depth: int, *, among: bool) -> None:
        """Follow `ld.so OPTIONS PROGRAM`: the loader runs the program with the options' libraries.

        The program need not be executable.
        """
        self._loading.update(dict.fromkeys(shell_words.find_loader_options(words)))
        for position, word in enumerate(words):
            path = posixpath.join(self._command.directory, word)
            if self._rootfs.head(path, 4) == b"\x7fELF" and not shell_words.is_option_value(
                words, position
            ):
                rest = words[position + 1 :]
                self._take_executable(path, f"run by {real}", rest, depth + 1, among=among)
                return

    def _follow_wrapper(self, path: str, words: tuple[str, ...], depth: int) -> None:
        """Follow `tini -- PROGRAM`, `gosu USER PROGRAM`: all candidates up to the certain one."""
        name = posixpath.basename(path)
        if not words or not exec_wrappers.is_wrapper(name):
            return
        text = "\n".join(words)  # env NAME=VALUE PROGRAM
        self._deciding.update(dict.fromkeys(shell_words.find_deciding_variables(text)))
        found = False
        for position, sure in exec_wrappers.find_program_places(name, words):
            if self._lookup(words[position]) is not None:
                self.follow(words[position:], f"run by {path}", depth + 1)
                found = True
                if sure:
                    return
        if not found:
            self._note(f"what {path} runs is not in the image")

    def _take_script(
        self, real: str, because: str, data: bytes, rest: tuple[str, ...], depth: int
    ) -> None:
        if data[:2] == b"#!":
            self._follow_script(real, data, rest, depth)
        elif data and b"\0" not in data[:4096]:
            # A text without a first line for the kernel: shells run it themselves.
            self._follow_script(real, b"#!/bin/sh\n" + data, rest, depth)
        else:
            self._note(f"{real} ({because}) is neither ELF nor script")

    def _note(self, text: str) -> None:
        if text not in self.found.notes:
            self.found.notes.append(text)

    def _add_arguments(self, known: ScanTarget, rest: tuple[str, ...]) -> None:
        """Add the arguments of a program that is run again: they may name its configuration."""
        if len(known.arguments) < _WORDS and not set(rest) <= set(known.arguments):
            both = (*known.arguments, *rest)
            self.found.targets[known.path] = replace(known, arguments=both[: 2 * _WORDS])

    def _follow_script(self, real: str, data: bytes, rest: tuple[str, ...], depth: int) -> None:
        line = data[2:256].split(b"\n")[0].decode("utf-8", "surrogateescape").split()
        if not line:
            self._note(f"{real} names no interpreter")
            return
        if posixpath.basename(line[0]) == "env":
            self.follow(line[:1], f"interpreter of {real}", depth + 1)
            line = [w for w in line[1:] if not w.startswith("-") and "=" not in w]
        if not line or not shell_words.SHELL.fullmatch(posixpath.basename(line[0])):
            given = [real] if line else []
            self.follow([*line, *given], f"interpreter of {real}", depth + 1)
            text = data[:_SCRIPT].decode("utf-8", "surrogateescape")
            self._deciding.update(dict.fromkeys(shell_words.find_deciding_variables(text)))
            self._note(f"what {real} runs cannot be seen: it is no shell script")
            return
        self.follow(line, f"interpreter of {real}", depth + 1)
        if real not in self._read:
            self._read.add(real)
            self._follow_words(data[:_SCRIPT], f"named in {real}", depth)
        self._follow_arguments(rest, data, real, depth)

    def _follow_arguments(self, rest: tuple[str, ...], data: bytes, real: str, depth: int) -> None:
        """Follow `exec "$@"`: the script runs its arguments."""
        if rest and re.search(rb"\$\{?[@*]", data):
            self.follow(rest, f"handed to {real}", depth + 1)

    def _follow_shell(self, real: str, rest: tuple[str, ...], depth: int) -> None:
        """Follow `sh -c TEXT` and `sh FILE`; the file need not be executable."""
        if not shell_words.SHELL.fullmatch(posixpath.basename(real)):
            return
        if rest and shell_words.SHELL.fullmatch(rest[0]):
            rest = rest[1:]  # busybox sh
        is_text, words = shell_words.find_operands(rest)
        if is_text and words:
            text = words[0].encode("utf-8", "surrogateescape")
            self._follow_words(text, "named in the command", depth)
            self._follow_arguments(words[2:], text, "the command", depth)
        elif words:
            file = self._rootfs.resolve(posixpath.join(self._command.directory, words[0]))
            data = b"" if file is None else self._rootfs.read(file) or b""
            if file is None or b"\0" in data[:4096]:
                self.follow(words, f"run by {real}", depth + 1)
            else:
                self._follow_script(file, b"#!/bin/sh\n" + data, words[1:], depth + 1)

    def _follow_words(self, text: bytes, because: str, depth: int) -> None:
        """Look up every word of a shell script that names a program: more than it runs, surely."""
        places: dict[str, str | None] = {}
        decoded = text.decode("utf-8", "surrogateescape")
        self._deciding.update(dict.fromkeys(shell_words.find_deciding_variables(decoded)))
        self._loading.update(dict.fromkeys(shell_words.find_loader_variables(decoded)))
        for line in shell_words.split_lines(decoded):
            for position, word in enumerate(line):
                if word not in places:
                    places[word] = self._lookup(word)
                path = places[word]
                if path is not None:
                    rest = tuple(line[position + 1 : position + _WORDS])
                    self._take_executable(path, because, rest, depth + 1, among=True)

    def _lookup(self, word: str) -> str | None:
        """Find a command as execvp(3) does; None if there is no executable one."""
        return next(
            (place for place in self._list_places(word) if self._rootfs.is_executable(place)), None
        )

    def _list_places(self, word: str) -> list[str]:
        if "/" in word:
            return [posixpath.join(self._command.directory, word)]
        return [posixpath.join(directory, word) for directory in self._path]


def _append_variable(target: ScanTarget, name: str, values: list[str]) -> ScanTarget:
    environment = dict(target.environment)
    before = [environment[name]] if environment.get(name) else []
    environment[name] = ":".join([*before, *values])
    return replace(target, environment=tuple(environment.items()))
