"""Decide from a shell script's text whether the failure of a command in it ends the script.

`mkdir x || echo no; false` goes on after mkdir, and `set -e; mkdir x` does not: from outside the
two look alike. Only plain commands are judged; for all else the answer is that it is not known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile
from pathlib import PurePosixPath

from seclatch.diagnose.failure.parse_script import Script, ScriptCommand, parse_script

_EXIT = re.compile(r"\b(?:exit|return)\b(?:[ \t]+(\d{1,3}))?")
_CLOSERS = {"fi", "done", "esac", "}"}
_EXPANDED = re.compile(r"[$`*?\[{<>~]")


class Outcome(Enum):
    """What a command's failure does to its script."""

    ENDS = "ends"
    IGNORED = "ignored"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ScriptOutcome:
    """The outcome, and the text behind the command, which may use what it was to make."""

    outcome: Outcome
    later: str = ""


@dataclass(frozen=True, slots=True)
class EndedCommand:
    """A failed command of a script: its arguments, its status, and the script's own status.

    Without arguments it was a part of the shell itself, as busybox runs its applets.
    """

    argv: tuple[str, ...]
    status: int
    final: int


def judge_command(text: str, errexit: bool, ended: EndedCommand) -> ScriptOutcome:
    """Return what the failure of a command did to its script; `errexit`: it was started with -e."""
    try:
        script = parse_script(text)
    except ValueError:
        return ScriptOutcome(Outcome.UNKNOWN)
    if ends_by_itself(script, errexit, ended):
        return ScriptOutcome(Outcome.IGNORED)
    found = [
        _Place(script, position, ended).judge(errexit)
        for position, command in enumerate(script.commands)
        if _may_be(command.words, ended.argv)
    ]
    for one in found if ended.argv or _has_one_exit(script) else ():
        if one.outcome is Outcome.ENDS:
            return one
    same = len({one.outcome for one in found}) == 1 and ended.argv
    return found[0] if same else ScriptOutcome(Outcome.UNKNOWN)


def ends_by_itself(script: Script, errexit: bool, ended: EndedCommand) -> bool:
    """Return whether a script ends by what its last command says, whatever failed before.

    `for d in a b; do mkdir $d; done; exit 5`: nothing before can end it.
    """
    last = script.commands[-1] if script.commands else None
    if last is None or last.words != ["exit", str(ended.final)] or not ended.final:
        return False
    plain = last.before in (";", "\n", "done", "fi") or len(script.commands) == 1
    enclosed = last.condition or last.loops > 0 or last.braces > 0
    others = [word for one in script.commands[:-1] for word in one.words]
    words = [*others, *(word for text in script.functions.values() for word in text.split())]
    stops = {"exit", "set", "exec", "trap", "return"} & set(words)
    return plain and not enclosed and not errexit and not stops


def _may_be(words: Sequence[str], argv: tuple[str, ...]) -> bool:
    """Return whether a command of the script may be the one with these arguments."""
    if not argv:
        return True
    plain = [word for word in words if not re.match(r"\w+=", word)]
    if not plain or PurePosixPath(plain[0]).name != PurePosixPath(argv[0]).name:
        return False
    literal = [word for word in plain[1:] if not _EXPANDED.search(word)]
    return all(word in argv or word.isdigit() or word == "/dev/null" for word in literal)


def _has_one_exit(script: Script) -> bool:
    """Return whether a script ends in one way only: `mkdir x || exit 3`, and nothing behind it."""
    commands = [one for one in script.commands if one.words[0] not in _CLOSERS]
    exits = [one for one in commands if one.words[0] == "exit"]
    return exits == commands[-1:] and (exits[0].before == "||" or exits[0].braces > 0)


class _Place:
    """One command that may be the one that failed."""

    def __init__(self, script: Script, position: int, ended: EndedCommand) -> None:
        self._script = script
        self._before = script.commands[:position]
        self._command = script.commands[position]
        self._behind = script.commands[position + 1 :]
        self._rest = [one for one in self._behind if one.words[0] not in _CLOSERS]
        self._ended = ended

    def judge(self, errexit: bool) -> ScriptOutcome:
        later = " ".join(" ".join(one.words) for one in self._rest)
        return ScriptOutcome(self._find_outcome(self._has_errexit(errexit)), later)

    def _find_outcome(self, errexit: bool) -> Outcome:
        if self._command.condition:
            return self._judge_condition()
        if self._command.after in ("|", "&"):
            return Outcome.UNKNOWN
        if self._command.after == "||":
            return self._judge_alternative()
        if self._command.after == "&&":
            rest = self._rest
            while rest and rest[0].before == "&&":
                rest = rest[1:]
            return self._judge_end(rest, errexit=False)
        return self._judge_status() or self._judge_end(self._rest, errexit)

    def _judge_status(self) -> Outcome | None:
        """Judge `command; … $?`: the next command uses the status."""
        following = self._rest[0].words if self._rest else []
        if not any("$?" in word for word in following):
            return None
        ends = following == ["exit", "$?"] and self._ended.status == self._ended.final
        return Outcome.ENDS if ends else Outcome.UNKNOWN

    def _judge_end(self, rest: list[ScriptCommand], errexit: bool) -> Outcome:
        """Judge a command under `set -e`, or the last one of a script."""
        last = not rest or rest[0].words == ["exit"]
        if errexit or last:
            same = self._ended.status == self._ended.final
            return Outcome.ENDS if same and not (self._command.loops and last) else Outcome.UNKNOWN
        return Outcome.UNKNOWN if self._command.loops else Outcome.IGNORED

    def _judge_alternative(self) -> Outcome:
        """Judge `command || …`: that may end the script, or the script's status may be its own."""
        group = self._rest[:1]
        if group and group[0].braces > self._command.braces:
            group = list(takewhile(lambda one: one.braces > self._command.braces, self._rest))
        for one in group:
            if (found := self._find_exit(one)) is not None:
                return Outcome.ENDS if found else Outcome.UNKNOWN
        goes_on = len(self._rest) > len(group)
        if group and group[-1].words[0] == "false" and not goes_on:
            return Outcome.ENDS
        return Outcome.IGNORED if goes_on else Outcome.UNKNOWN

    def _judge_condition(self) -> Outcome:
        """Judge the condition of an `if`: the branch that runs on failure may end the script."""
        wanted, running = ("then" if self._command.negated else "else"), False
        for one in takewhile(lambda one: one.words[0] != "fi", self._behind):
            if one.before in ("then", "else"):
                running = one.before == wanted
            if running and self._find_exit(one):
                return Outcome.ENDS
        return Outcome.UNKNOWN

    def _find_exit(self, command: ScriptCommand) -> bool | None:
        """Return whether a command ends the script with its status; None if it does not end it."""
        name = command.words[0]
        text = " ".join(command.words) if name in ("exit", "return") else ""
        match = _EXIT.search(text or self._script.functions.get(name, ""))
        if match is None or (name == "return" and match[1] == "0"):
            return None
        return int(match[1]) == self._ended.final if match[1] else bool(self._ended.final)

    def _has_errexit(self, errexit: bool) -> bool:
        for command in self._before:
            for word in command.words[1:] if command.words[0] == "set" else ():
                if re.fullmatch(r"[-+][a-zA-Z]*e[a-zA-Z]*", word):
                    errexit = word.startswith("-")
                elif word == "errexit":
                    errexit = "+o" not in command.words
        return errexit
