"""strace's view of the same start, for comparison: counts by process and by phase.

`seclatch record -- strace -f … COMMAND` watches one run in both ways. strace sees a call before
seccomp does, so its count equals the recording's issued and denied calls together.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from seclatch.model.recording.recording import RecordedCalls, RecordedDenial, Recording

BEFORE, FILTERED, PROGRAM = 0, 1, 2
PHASES = {"filtered-init": FILTERED, "program": PROGRAM}

Counts = dict[tuple[int, int], Counter[str]]
"""By pid and phase."""

_ENTRY = re.compile(r"^(\d+) +(\w+)\(")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>")
_RESULT = re.compile(r" = (-?\d+|\?)(?: /\* (\d+) in strace's PID NS \*/)?")
_NO_RESULT = re.compile(r" = \?(?: <unavailable>)?\s*$")
_SUPERSEDED = re.compile(r"^(\d+) +\+\+\+ superseded by execve in pid (\d+)")
# A thread that is superseded while its call is being written leaves that line unfinished.
_CUT_OFF = re.compile(r"^(\d+ +\w+\(.*?)(\d+ \+\+\+ superseded by execve in pid)", re.MULTILINE)
_MAKES = {"clone", "clone3", "fork", "vfork"}

STRACE = ["strace", "-f", "-qq", "--decode-pids=pidns", "-s0", "-e", "signal=none"]


class Log:
    """Reads a log of `strace -f`; `counts` is the result.

    A phase is a thread's until an exec: FILTERED after a filter was loaded in it, PROGRAM after the
    exec that follows.
    """

    def __init__(self, path: Path, *, all_program: bool = False) -> None:
        self.counts: Counts = {}
        self.first = 0
        self._process: dict[int, int] = {}
        self._phase: dict[int, int] = {}
        self._start = PROGRAM if all_program else BEFORE
        self._pending: dict[int, str] = {}
        self._born: dict[int, tuple[int, int]] = {}
        self._open: dict[int, tuple[tuple[int, int], str]] = {}
        self._cut_off: list[tuple[tuple[int, int], str]] = []
        text = _CUT_OFF.sub(r"\1 <unfinished ...>\n\2", path.read_text(errors="replace"))
        lines = text.splitlines()
        self._find_births(lines)
        for line in lines:
            self._read(line)

    def _find_births(self, lines: list[str]) -> None:
        """Derive the births of children: their calls may precede the return of the clone."""
        started: dict[int, str] = {}
        for line in lines:
            if match := _SUPERSEDED.match(line):  # perhaps before the clone returned
                self._born.setdefault(int(match[2]), (int(match[1]), 1))
            if match := _ENTRY.match(line):
                started[int(match[1])] = line
            elif not (match := _RESUMED.match(line)):
                continue
            tid, name = int(match[1]), match[2]
            result = self._result(line)
            if name in _MAKES and result > 0:
                thread = "CLONE_THREAD" in started[tid] + line
                self._born[result] = (tid, int(thread))

    def _result(self, line: str) -> int:
        found = _RESULT.findall(line)
        if not found or found[-1][0] == "?":
            return -1
        return int(found[-1][1] or found[-1][0])

    def _know(self, tid: int) -> None:
        if tid in self._process:
            return
        if tid not in self._born:
            assert not self.first, f"strace does not tell who made {tid}"
            self.first = tid
            self._process[tid], self._phase[tid] = tid, self._start
            return
        parent, thread = self._born[tid]
        self._know(parent)
        self._process[tid] = self._process[parent] if thread else tid
        self._phase[tid] = self._phase[parent]

    def _read(self, line: str) -> None:
        if match := _SUPERSEDED.match(line):
            if cut_off := self._open.pop(int(match[1]), None):
                self._cut_off.append(cut_off)  # another thread continues under its id
            self._phase[int(match[1])] = self._phase[int(match[2])]
            self._pending[int(match[1])] = "execve("
            return
        if match := _ENTRY.match(line):
            tid, name = int(match[1]), match[2]
            self._know(tid)
            key = (self._process[tid], self._phase[tid])
            self.counts.setdefault(key, Counter())[name] += 1
            self._open[tid] = (key, name)
            self._pending[tid] = line
        elif match := _RESUMED.match(line):
            tid, name = int(match[1]), match[2]
            self._know(tid)
        else:
            return
        if "<unfinished" not in line:
            self._leave(tid, name, self._pending.get(tid, "") + line)

    def unanswered(self, key: tuple[int, int]) -> Counter[str]:
        """Count calls that strace saw begin in threads that were killed before they had a result.

        Whether the kernel executed them is open: a tracee killed while it stops at the entry for
        its tracer leaves without executing the call.
        """
        left = [*self._open.values(), *self._cut_off]
        return Counter(name for at, name in left if at == key)

    def _leave(self, tid: int, name: str, text: str) -> None:
        if not _NO_RESULT.search(text):
            self._open.pop(tid, None)
        if self._result(text) != 0:
            return
        loads = {"seccomp": "SECCOMP_SET_MODE_FILTER", "prctl": "PR_SET_SECCOMP"}
        if loads.get(name, "no such text") in text:
            self._phase[tid] = max(self._phase[tid], FILTERED)
        elif name in ("execve", "execveat") and self._phase[tid] == FILTERED:
            self._phase[tid] = PROGRAM


def recorded(recording: Recording) -> Counts:
    """Return the recording's counts in the same form, without strace's own."""
    pids = {each.id: each.pid for each in recording.processes}
    counts: Counts = {}
    entries: list[RecordedCalls | RecordedDenial] = [*recording.calls, *recording.denials]
    for each in entries:
        key = (pids[each.process], PHASES.get(each.stage, BEFORE))
        counts.setdefault(key, Counter())[strace_name(each.name, each.number)] += each.count
    return counts


def strace_name(name: str, number: int) -> str:
    return {"newfstatat": "newfstatat"}.get(name, name) or f"syscall_{number:#x}"


def differences(log: Log, recording: Recording) -> dict[tuple[int, int], tuple[object, object]]:
    """Return processes and phases whose counts differ: (strace's surplus, the recording's)."""
    # Calls of strace's child before it execs the command, which strace does not report.
    before_exec = Counter(["close", "rt_sigprocmask", "getpid", "kill", "set_robust_list"])
    ours = recorded(recording)
    found: dict[tuple[int, int], tuple[object, object]] = {}
    for key, counts in log.counts.items():
        mine = ours.get(key, Counter())
        missing, surplus = counts - mine - log.unanswered(key), mine - counts
        if key == (log.first, log._start):  # as strace's child, before its exec
            surplus -= before_exec
        if missing or surplus:
            found[key] = (dict(missing), dict(surplus))
    return found
