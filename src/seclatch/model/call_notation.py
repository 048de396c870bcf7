"""Parse system calls and actions as users write them: `socket(AF_INET, _, 0)`, `ERRNO(EPERM)`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from seclatch.model import errno
from seclatch.model.action import Action
from seclatch.model.arch import Arch
from seclatch.model.constant import CONSTANTS
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.model.syscall import Syscall, load_syscalls

_CALL = re.compile(r"\s*(#?\w+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_ACTION = re.compile(r"(?:SCMP_ACT_)?([A-Z_]+)(?:\((\w+)\))?")
_REST = ("…", "...")
_U64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class AskedCall:
    """A call to query; an argument that was left open is None. `text` is the user's spelling."""

    syscall: Syscall
    args: tuple[int | None, ...]
    text: str


def parse_call(text: str, arch: Arch) -> AskedCall:
    """Parse `name(arg, …)` or `#number(…)`; arguments that are `_` or missing are open.

    An argument is a number in C's notation, also negative, a constant's name, or several joined by
    `|`. Raises ValueError that says what is wrong.
    """
    match = _CALL.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a call such as openat(AT_FDCWD, _, 0)")
    words = [word.strip() for word in match[2].split(",")] if (match[2] or "").strip() else []
    if words and words[-1] in _REST:
        words.pop()
    if len(words) > MAX_ARGS:
        raise ValueError(f"{len(words)} arguments; a system call has at most {MAX_ARGS}")
    args = [None if word == "_" else _argument(word) for word in words]
    args += [None] * (MAX_ARGS - len(args))
    return AskedCall(_syscall(match[1], arch), tuple(args), text.strip())


def parse_action(text: str) -> Action:
    """Parse `ALLOW`, `SCMP_ACT_ERRNO(1)`, `ERRNO(EPERM)`. Raises ValueError."""
    match = _ACTION.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not an action such as ALLOW or ERRNO(EPERM)")
    data = errno.parse_errno(match[2]) if match[2] else None
    action = Action.from_scmp(f"SCMP_ACT_{match[1]}", data)
    if data is not None and not action.kind.takes_data:
        raise ValueError(f"{action.kind.scmp} has no number")
    return action


def _syscall(word: str, arch: Arch) -> Syscall:
    if word.startswith("#"):
        if not word[1:].isdecimal() or int(word[1:]) >= 1 << 32:
            raise ValueError(f"{word!r} is not a number of a call, such as #451")
        return load_syscalls(arch).at(int(word[1:]))
    found = load_syscalls(arch).get(word)
    if found is None:
        raise ValueError(f"{arch.title} has no system call {word!r} of its own")
    return found


def _argument(word: str) -> int:
    value = 0
    for part in word.split("|"):
        value |= _number(part.strip())
    return value


def _number(word: str) -> int:
    if word in CONSTANTS:
        return CONSTANTS[word] & _U64
    try:
        value = int(word, 8) if re.fullmatch(r"-?0[0-7]+", word) else int(word, 0)
    except ValueError:
        hint = "write its number, or _ to leave it open"
        raise ValueError(f"the argument {word!r} is not known: {hint}") from None
    if not -(1 << 63) <= value <= _U64:
        raise ValueError(f"the argument {word!r} does not fit into 64 bits")
    return value & _U64
