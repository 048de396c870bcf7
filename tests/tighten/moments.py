"""`make moments`: bind programs in each kind of system call at random moments; print the counts.

python -m tests.tighten.moments [--moments 200] [--workers 8] [--only WORDS] [--write FILE]
python -m tests.tighten.moments --rows FILE --machine WORDS --write FILE

The program's own filter kills for what is injected: seccomp, prctl, mmap's relatives, and
restart_syscall, by which an interrupted sleep goes on.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import Compiler
from tests.tighten.binding import BOUND, DISTURBED, LATE, UNBOUND, Report, bind_in_flight
from tests.tighten.result_page import describe_run, write_section

# Under this name a test on arm64 reports its row, which is printed on the guest's console.
PROPERTY = "moments"
ROW = re.compile(rf"@@ NOTE {PROPERTY} (\|.*\|)$")

# The kernel starts their time-outs again: TIMED in native/tighten/calls.c.
TIMED = ("epoll-timeout", "semtimedop", "sigtimedwait", "recv-timeout")
KINDS = """
nanosleep clock_nanosleep clock_nanosleep-until poll poll-endless ppoll select epoll
epoll_pwait epoll-timed futex msgrcv sigsuspend pause read recv waitall accept lock
write spin vectors calls signals vforks forks clones execs threads divergent zombie-leader
""".split()  # noqa: SIM905

# From before the call, which the program makes once it is ready, to shortly before its end.
ANY_MOMENT = (0.0, 0.8)
ENDS = {BOUND: "undisturbed", LATE: "late", DISTURBED: "disturbed", UNBOUND: "not bound"}
HEADING = "Every kind of call, at random moments"
HEADER = """\
| kind | runs | undisturbed | late | disturbed | not bound | other | bound | loads | median | longest |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
"""  # noqa: E501


@dataclass(frozen=True)
class Ended:
    """A program that was bound in a call: the report, its exit status, and its complaints."""

    kind: str
    report: Report
    status: int
    complaint: str

    @property
    def is_fine(self) -> bool:
        allowed = (BOUND, LATE) if self.kind in TIMED else (BOUND,)
        return self.report.status == 0 and self.status in allowed


@dataclass
class Counts:
    """What became of the programs of one kind."""

    kind: str
    ends: Counter[str] = field(default_factory=Counter)
    loads: int = 0
    pauses: list[float] = field(default_factory=list)
    faults: list[Ended] = field(default_factory=list)

    def add(self, ended: Ended) -> None:
        """Count one more."""
        self.ends[ENDS.get(ended.status, "other")] += 1
        for process in ended.report.processes.values():
            self.loads += int(process["loads"])
            if process["state"] == "bound":
                self.pauses.append(int(process["pause"]) / 1000)
        if not ended.is_fine:
            self.faults.append(ended)

    def row(self) -> str:
        """Return one line of the table."""
        ends = [self.ends[end] for end in (*ENDS.values(), "other")]
        pauses = (statistics.median(self.pauses), max(self.pauses)) if self.pauses else (0.0, 0.0)
        cells = [
            self.kind,
            *map(str, (self.ends.total(), *ends, len(self.pauses), self.loads)),
            *(f"{pause:.1f} ms" for pause in pauses),
        ]
        return f"| {' | '.join(cells)} |"


def try_kind(
    program: Path, kind: str, between: tuple[float, float] = (0.1, 0.4), seconds: float = 1.0
) -> Ended:
    """Bind a program in such a call at a random moment: a part of the time that the call takes."""
    return Ended(kind, *bind_in_flight(program, kind, between=between, seconds=seconds))


def count_kind(
    program: Path, kind: str, moments: int, workers: int, seconds: float = 1.0
) -> Counts:
    """Bind this many programs, some at a time, so that moments differ further."""
    counts = Counts(kind)

    def bind(_: int) -> Ended:
        return try_kind(program, kind, ANY_MOMENT, seconds)

    with ThreadPoolExecutor(workers) as pool:
        for ended in pool.map(bind, range(moments)):
            counts.add(ended)
    return counts


def write_table(page: Path, all_counts: Sequence[Counts]) -> None:
    """Replace the section of the page."""
    runs = sum(each.ends.total() for each in all_counts)
    faults = sum(len(each.faults) for each in all_counts)
    text = f"{describe_run()}: {runs:,} runs, {faults} with another end than allowed.\n\n"
    write_section(page, HEADING, text + HEADER + "".join(f"{each.row()}\n" for each in all_counts))


def copy_rows(console: Path, machine: str, page: Path) -> None:
    """Write the rows that the arm64 guest has printed on its console."""
    rows = [match[1] for match in map(ROW.search, console.read_text().splitlines()) if match]
    runs, fine, late = (sum(int(row.split("|")[at]) for row in rows) for at in (2, 3, 4))
    text = (
        f"{describe_run(machine)}:\n{runs:,} runs, {fine:,} undisturbed, {late} late (a time-out "
        "that begins again). Pauses are by the guest's clock, which counts\ninstructions.\n\n"
    )
    write_section(page, HEADING, text + HEADER + "".join(f"{row}\n" for row in rows))


def main() -> int:
    """Run the chosen kinds; return 1 if a program was disturbed or not bound."""
    parser = argparse.ArgumentParser(prog="python -m tests.tighten.moments")
    parser.add_argument("--moments", type=int, default=200, help="of each kind")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--only", default="", help="kinds whose name has this")
    parser.add_argument("--write", type=Path, help="replace the table in that page")
    parser.add_argument("--rows", type=Path, help="take them from a console, and run nothing")
    parser.add_argument("--machine", default="", help="on which they were printed")
    options = parser.parse_args()
    if options.rows:
        copy_rows(options.rows, options.machine, options.write)
        return 0
    found = []
    with tempfile.TemporaryDirectory(prefix="seclatch-moments-") as folder:
        program = Compiler(Path(folder))("in_flight")
        for kind in [each for each in (*KINDS, *TIMED) if options.only in each]:
            found.append(count_kind(program, kind, options.moments, options.workers))
            print(found[-1].row(), flush=True)
            for fault in found[-1].faults:
                print(fault, flush=True)
    if options.write:
        write_table(options.write, found)
    return 1 if any(each.faults for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
