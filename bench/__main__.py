"""python -m bench [NAME...]: run the benchmarks, all of them by default."""

from __future__ import annotations

import argparse

from bench import (
    annotate,
    apply,
    corpus,
    engine,
    explain,
    fleet,
    floor,
    gate,
    judge,
    node,
    notify_gate,
    page,
    phases,
    profile,
    programs,
    ps,
    record,
    scan,
    start,
    two_filters,
    watch,
)
from bench import filter as filters
from bench.profiles import accuracy
from bench.profiles import report as profiles
from tests.explain.scenes.scene import PARTS

BENCHMARKS = {
    "accuracy": accuracy.report,
    "start": start.report,
    "apply": apply.report,
    "gate": gate.report,
    "notify": notify_gate.report,
    "engine": engine.report,
    "profile": profile.report,
    "filter": filters.report,
    "judge": judge.report,
    "record": record.report,
    "recorder": record.report_ours,
    "floor": floor.report,
    "scan": scan.report,
    "annotate": annotate.report,
    "programs": programs.report,
    "profiles": profiles.report,
    "phases": phases.report,
    "filters": two_filters.report,
    "ps": ps.report,
    "explain": explain.report,
    "fleet": fleet.report,
    "page": page.report,
    "watch": watch.report,
    "node": node.report,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--corpus", choices=PARTS, help="explain: this part's scenes")
    parser.add_argument("--engine", default="", help="corpus: only scenes of bundle or docker")
    parser.add_argument("--only", default="", help="corpus: only scenes whose name contains this")
    parser.add_argument("--workers", type=int, default=2, help="corpus: scenes at a time")
    parser.add_argument("--answers", action="store_true", help="corpus: print every answer")
    modes = ("auto", "always", "never")
    parser.add_argument("--confirm", choices=modes, default="auto", help="corpus: as of explain")
    options = parser.parse_args()
    if options.corpus:
        corpus.report(options.corpus, options)
        return
    for name in options.names or BENCHMARKS:
        print(f"== {name}: {(BENCHMARKS[name].__module__)}")
        BENCHMARKS[name](options.runs)


main()
