"""Words of shells and their scripts: commands, and variables of the loader that they set.

And of the C library, which finds modules for character sets by $GCONV_PATH.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SHELL = re.compile(r"(?:ba|da|a|k|z|mk)?sh|busybox")

_WORD = re.compile(r"[A-Za-z0-9_./+-]+")
_COMMENT = re.compile(r"""^((?:[^"'`]*\s)?)#.*""")
"""Not behind a quote: it may be within one, and commands follow."""
_SET = re.compile(
    r"""\b(LD_PRELOAD|LD_AUDIT|LD_LIBRARY_PATH|GCONV_PATH)=("[^"\n]*"|'[^'\n]*'|\$\([^)\n]*\)|[^\s;&|"']*)"""
)
PLACES = "LD_LIBRARY_PATH"
_DECIDING = ("GCONV_PATH", "GLIBC_TUNABLES", "SYSTEMD_LOG_TARGET")
"""Variables on which library rules depend (`rule_conditions`)."""
_OPTIONS = {"--preload": "LD_PRELOAD", "--audit": "LD_AUDIT", "--library-path": PLACES}
"""The loader's own options, and the variables that they replace (ld.so(8))."""
_OTHERS = {"--argv0", "--inhibit-rpath", "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask"}
_VALUED = {"-o", "+o", "-O", "+O", "--rcfile", "--init-file"}


def split_lines(text: str) -> Iterator[list[str]]:
    """Yield the words of each line of a script, without comments."""
    for line in _lines(text):
        yield _WORD.findall(line)


def _lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        yield _COMMENT.sub(r"\1", line)


def find_operands(words: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
    """Return whether a shell is given a text (-c), and the operands behind its options.

    The first operand is the text or a file; the others are arguments for it.
    """
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
    """Yield the loader's variables that a text sets: the name, and each part of its new value."""
    for line in _lines(text):
        for match in _SET.finditer(line):
            name, value = match[1], match[2].strip("\"'")
            value = re.sub(rf"\$({name}\b|{{{name}\b[^}}]*}})", "", value)
            parts = [value] if "(" in value or "`" in value else re.split(r"[\s:]", value)
            yield from ((name, part) for part in parts if part)


def find_deciding_variables(text: str) -> list[str]:
    """Return the variables that a text names, set or not, and on which library rules depend."""
    return [name for name in _DECIDING if name in text]


def is_literal(value: str) -> bool:
    """Return whether a value is literal, without expansions."""
    return not re.search(r"[$`*?\[({]", value)


def find_loader_options(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the loader's options, as `find_loader_variables`."""
    for option, following in zip(words, (*words[1:], ""), strict=True):
        name, equals, value = option.partition("=")
        if name in _OPTIONS:
            values = value if equals else following
            yield from ((_OPTIONS[name], part) for part in re.split(r"[\s:]", values) if part)


def is_option_value(words: tuple[str, ...], position: int) -> bool:
    """Return whether a word is the value of one of the loader's options."""
    return position > 0 and words[position - 1] in {*_OPTIONS, *_OTHERS}
