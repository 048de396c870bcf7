"""Parse a shell script into its simple commands, each with what stands around it.

Not a shell: functions, braces, lists, pipes, `if` and loops are known, and nothing is expanded.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

_REDIRECTION = re.compile(r"\d*[<>]&\d?-?|&>")
_COMMENT = re.compile(r"(?m)(^|\s)#[^\n]*")
_FUNCTION = re.compile(r"(?:^|[\s;&|])(\w+)[ \t]*\(\)\s*\{(.*?)[;\n]\s*\}", re.DOTALL)
_PREFIXES = {"exec", "time", "sudo", "env", "command", "nohup"}
_LOOPS = {"while", "until", "for"}
_CONDITIONS = {"if", "elif", "while", "until"}
_OPERATORS = frozenset(";&|\n()")
_MAX_WORDS = 5000


@dataclass
class ScriptCommand:
    """A simple command, and the operators (or `then`, `else`, `do`) before and after it.

    `condition`: in that of an `if` or a loop; `negated`: by `!`; `loops` and `braces`: how many are
    open around it.
    """

    words: list[str] = field(default_factory=list)
    before: str = ""
    after: str = ""
    condition: bool = False
    negated: bool = False
    loops: int = 0
    braces: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """The commands in order, and the texts of its functions by name."""

    commands: list[ScriptCommand]
    functions: dict[str, str]


def parse_script(script: str) -> Script:
    """Parse a script's text. Raises ValueError for an open quote, or one that is too long."""
    text = _COMMENT.sub(r"\1", script.replace("\\\n", " "))
    functions = dict(_FUNCTION.findall(text))
    body = _REDIRECTION.sub(" ", _FUNCTION.sub("\n", text))
    lexer = shlex.shlex(body, posix=True, punctuation_chars="".join(_OPERATORS))
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    reader = _Reader()
    for count, word in enumerate(lexer):
        if count > _MAX_WORDS:
            raise ValueError("the script is too long")
        reader.take(word)
    return Script(reader.finish(), functions)


class _Reader:
    """Takes one word after the other."""

    def __init__(self) -> None:
        self._done: list[ScriptCommand] = []
        self._now = ScriptCommand()

    def take(self, word: str) -> None:
        if word and set(word) <= _OPERATORS:
            self._end_command(word.strip("\n()") or "\n")
        elif self._now.words or not self._take_reserved(word):
            self._now.words.append(word)

    def finish(self) -> list[ScriptCommand]:
        if self._now.words:
            self._done.append(self._now)
        return self._done

    def _end_command(self, operator: str) -> None:
        now = self._now
        if now.words:
            now.after = operator
            self._done.append(now)
        before = operator if now.words or operator != "\n" else now.before
        self._now = ScriptCommand(
            before=before, condition=now.condition, loops=now.loops, braces=now.braces
        )

    def _take_reserved(self, word: str) -> bool:
        """Take a word that is no command's first; False if it is one."""
        now = self._now
        if word in _CONDITIONS:
            now.condition = True
            now.loops += word in _LOOPS
        elif word in ("then", "else", "do"):
            now.condition, now.before = False, word
        elif word in ("{", "}"):
            now.braces += 1 if word == "{" else -1
            return word == "{"
        elif word == "!":
            now.negated = True
        elif word in ("for", "done"):
            now.loops += 1 if word == "for" else -1
            return False
        else:
            return word in _PREFIXES
        return True
