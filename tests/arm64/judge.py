"""Judge a machine's console: every test reported, none failed, skips have a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_REPORT = re.compile(r"@@ (PASS|FAIL|SKIP) (tests/\S.*?) [0-9.]+(?: \((.*)\))?$")
_NOTE = re.compile(r"@@ NOTE (.*)")
_RESULT = re.compile(r"@@ RESULT PASS=(\d+) FAIL=(\d+) SKIP=(\d+) ")

# The one feature that a CPU may lack. Any other skip is a test that did not run.
MAY_SKIP = "32-bit"


@dataclass
class Verdict:
    """The results of one machine."""

    model: str
    wanted: int
    passed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Return whether every required test ran and passed."""
        return not self.problems and bool(self.passed)

    def lines(self) -> Iterator[str]:
        """Yield lines for people; the last one counts the checks that ran."""
        yield from (f"{self.model}: {each}" for each in self.notes)
        yield from (f"{self.model}: skipped {each}" for each in self.skipped)
        yield from (f"{self.model}: {each}" for each in self.problems)
        yield (
            f"{self.model}: {len(self.passed)} of {self.wanted} checks passed, "
            f"{len(self.skipped)} skipped: {'good' if self.good else 'FAILED'}"
        )


def judge(model: str, lines: Sequence[str], wanted: Sequence[str]) -> Verdict:
    """Read the console. A requested test that did not report is a failure."""
    verdict = Verdict(model, len(wanted))
    verdict.notes += [match[1] for match in filter(None, map(_NOTE.search, lines))]
    seen = set()
    for match in filter(None, map(_REPORT.search, lines)):
        word, name, reason = match.groups()
        seen.add(name)
        if word == "PASS":
            verdict.passed.append(name)
        elif word == "SKIP" and MAY_SKIP in (reason or ""):
            verdict.skipped.append(f"{name}: {reason}")
        else:
            verdict.problems.append(f"{word} {name} {reason or ''}".rstrip())
    missing = [name for name in wanted if name not in seen]
    verdict.problems += [f"did not run: {name}" for name in missing[:5]]
    if len(missing) > 5:
        verdict.problems.append(f"did not run: {len(missing) - 5} more")
    if not any(map(_RESULT.search, lines)):
        verdict.problems.append("the tests did not come to their end")
    return verdict
