"""What the words of a shell and of its scripts say: which are commands, and what they set."""

from __future__ import annotations

import re
from collections.abc import Iterator

SHELL = re.compile(r"(?:ba|da|a|k|z|mk)?sh|busybox")

_WORD = re.compile(r"[A-Za-z0-9_./+-]+")
_COMMENT = re.compile(r"""^((?:[^"'`]*\s)?)#.*""")
"""Not behind a quote: it may be within one, and commands follow."""
_SET = re.compile(
    r"""\b(LD_PRELOAD|LD_AUDIT|LD_LIBRARY_PATH)=("[^"\n]*"|'[^'\n]*'|\$\([^)\n]*\)|[^\s;&|"']*)"""
)
PLACES = "LD_LIBRARY_PATH"
_OPTIONS = {"--preload": "LD_PRELOAD", "--audit": "LD_AUDIT", "--library-path": PLACES}
"""The loader's own, and what they are instead of (ld.so(8))."""
_OTHERS = {"--argv0", "--inhibit-rpath", "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask"}
_VALUED = {"-o", "+o", "-O", "+O", "--rcfile", "--init-file"}


def split_lines(text: str) -> Iterator[list[str]]:
    """The words of each line of a script, without comments."""
    for line in _lines(text):
        yield _WORD.findall(line)


def _lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        yield _COMMENT.sub(r"\1", line)


def find_operands(words: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
    """Whether a shell is given a text (-c), and what stands behind its options: the text or a
    file, and arguments for that."""
    left, is_text = list(words), False
    while left:
        word = left[0]
        if word == "--" or word[:1] not in ("-", "+") or len(word) < 2:
            break
        del left[0]
        if word in _VALUED or (not word.startswith("--") and word.endswith("o")):
            del left[:1]  # bash -euo pipefail -c TEXT
        is_text = is_text or (word[0] == "-" and word[1] != "-" and "c" in word)
    return is_text, tuple(left[1:] if left[:1] == ["--"] else left)


def find_loader_variables(text: str) -> Iterator[tuple[str, str]]:
    """What a text sets of the loader's variables: which, and each part of its value but itself."""
    for line in _lines(text):
        for match in _SET.finditer(line):
            name, value = match[1], match[2].strip("\"'")
            value = re.sub(rf"\$({name}\b|{{{name}\b[^}}]*}})", "", value)
            parts = [value] if "(" in value or "`" in value else re.split(r"[\s:]", value)
            yield from ((name, each) for each in parts if each)


def is_literal(value: str) -> bool:
    """Whether a value is what it says, and not made of others."""
    return not re.search(r"[$`*?\[({]", value)


def find_loader_options(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What the loader's options say, as `loading`."""
    for option, following in zip(words, (*words[1:], ""), strict=True):
        name, equals, value = option.partition("=")
        if name in _OPTIONS:
            values = value if equals else following
            yield from ((_OPTIONS[name], each) for each in re.split(r"[\s:]", values) if each)


def is_option_value(words: tuple[str, ...], position: int) -> bool:
    """Whether a word belongs to one of the loader's options."""
    return position > 0 and words[position - 1] in {*_OPTIONS, *_OTHERS}
