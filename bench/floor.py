"""Measure what parts the cost of recording has: the kernel's, the programs', the recorder's own.

Empty programs are the least that a recorder by tracepoints can cost. The recorder's programs are
attached here, without its start and end, and the work registers itself. Last is `seclatch record`
itself, less what it spends on recording `true`; its own process and the command apart.

Each variant runs in turn with the others, beside a bare run. A pair counts only if no other
recorder was attached meanwhile, which slows the bare side too; CPU time is compared, so that a busy
machine matters little.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.attached_programs import Spent, Variant, attached, nothing, variants
from bench.record import works
from seclatch.bpf.compiled_object import import_object
from seclatch.system import bpf


def run_pair(words: Sequence[str], variant: Variant, *, bare_first: bool) -> Spent | None:
    """Return the variant's times in bare ones; None if another recorder disturbed it."""
    bare = attached(nothing)
    spent = {each: each(words) for each in ((bare, variant) if bare_first else (variant, bare))}
    found, base = spent[variant], spent[bare]
    return Spent(*(each / base.work for each in found)) if found and base else None


def measure(work: str, words: Sequence[str], found: dict[str, Variant], pairs: int) -> None:
    """Print a row for each variant; they take turns."""
    ratios: dict[str, list[Spent]] = {name: [] for name in found}
    for n in range(9 * pairs):
        for name in [name for name, rows in ratios.items() if len(rows) < pairs]:
            try:
                ratio = run_pair(words, found[name], bare_first=n % 2 > 0)
            except (OSError, bpf.VerifierError) as error:
                print(f"(without {name!r}: {error})")
                del ratios[name], found[name]
                continue
            if ratio and n:  # the first time warms up
                ratios[name].append(ratio)
    print(f"{work}: CPU time to bare")
    for name, rows in ratios.items():
        print(f"  {name:<30} {describe(rows)}", flush=True)


def describe(rows: Sequence[Spent]) -> str:
    """Describe the median of the sums, their quartiles, and the recorder's part."""
    if not rows:
        return "other recorders were attached all the time"
    sums = sorted(map(sum, rows))
    low, high = sums[len(sums) // 4], sums[-1 - len(sums) // 4]
    own = statistics.median(each.recorder for each in rows)
    part = f", {own:.2f} of it the recorder's own process" if own else ""
    return f"{statistics.median(sums):5.2f}  ({low:.2f} - {high:.2f}, {len(rows)} pairs){part}"


def report(runs: int) -> None:
    """Print the tables; SECLATCH_BEFORE names a further module of `seclatch.bpf.objects`."""
    older = os.environ.get("SECLATCH_BEFORE")
    found = variants(import_object(older) if older else None)
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        for work, words in works(Path(folder)).items():
            if "redis" not in work:
                measure(work, words, found, max(5, runs // 4))
