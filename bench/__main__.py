"""python -m bench [NAME...]: run the benchmarks, all of them by default."""

from __future__ import annotations

import argparse

from bench import engine, profile, record, start
from bench import filter as filters

BENCHMARKS = {
    "start": start.report,
    "engine": engine.report,
    "profile": profile.report,
    "filter": filters.report,
    "record": record.report,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME")
    parser.add_argument("--runs", type=int, default=60)
    options = parser.parse_args()
    for name in options.names or BENCHMARKS:
        print(f"== {name}: {(BENCHMARKS[name].__module__)}")
        BENCHMARKS[name](options.runs)


main()
