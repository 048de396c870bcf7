"""Denials that were right: a text file beside the profile, one call a line.

    # denied on purpose
    ptrace
    socket(AF_ALG)      # probed by a scanner

The notation is that of `seclatch profile test`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seclatch.errors import InputError
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall, parse_call
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.profile.amend.denial_evidence import DenialEvidence, find_selector

MAX_SIZE = 1 << 20
SUFFIX = ".ignored"
_HEADER = "# Denials that are right: `seclatch amend` does not offer these calls.\n"


@dataclass(frozen=True, slots=True)
class IgnoredDenials:
    """The calls of a file; `text` is its whole content, "" where there is none."""

    path: Path
    text: str
    calls: tuple[AskedCall, ...]
    changed: bool = False

    def match(self, denial: DenialEvidence) -> AskedCall | None:
        """Return the entry that covers a denial; one with arguments needs known arguments."""
        for call in self.calls:
            if call.syscall.name == denial.name and _covers(call, denial):
                return call
        return None

    def extend(self, words: Sequence[str], arch: Arch) -> IgnoredDenials:
        """Add calls that are not in the file yet. Raises ValueError for what is no call."""
        known = {call.text for call in self.calls}
        new = [parse_call(word, arch) for word in dict.fromkeys(words) if word not in known]
        text = self.text if not self.text or self.text.endswith("\n") else self.text + "\n"
        lines = "".join(f"{call.text}\n" for call in new)
        text = (text or (_HEADER if new else "")) + lines
        return IgnoredDenials(self.path, text, (*self.calls, *new), bool(new))


def _covers(call: AskedCall, denial: DenialEvidence) -> bool:
    if all(value is None for value in call.args):
        return True
    known = [find_selector(denial.name)] if denial.partial else range(MAX_ARGS)
    return denial.args is not None and all(
        value is None or (index in known and (value ^ seen) & 0xFFFFFFFF == 0)
        for index, (value, seen) in enumerate(zip(call.args, denial.args, strict=True))
    )


def split_calls(text: str) -> list[str]:
    """Split `ptrace,socket(AF_ALG, _)` at the commas outside of parentheses."""
    words, depth = [""], 0
    for char in text:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth <= 0:
            words.append("")
        else:
            words[-1] += char
    return [word.strip() for word in words if word.strip()]


def read_ignored(path: Path, arch: Arch) -> IgnoredDenials:
    """Read the file; one that does not exist ignores nothing. Raises InputError with the line."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        return IgnoredDenials(path, "", ())
    except OSError as error:
        raise InputError(str(path), "", f"cannot read it: {error.strerror}") from error
    if len(content) > MAX_SIZE:
        raise InputError(str(path), "", f"larger than {MAX_SIZE >> 20} MiB")
    calls = []
    text = content.decode(errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition(" #")[0].strip()
        if not word or word.startswith("#"):
            continue
        try:
            calls.append(parse_call(word, arch))
        except ValueError as error:
            raise InputError(str(path), f"line {number}", str(error)) from error
    return IgnoredDenials(path, text, tuple(calls))
