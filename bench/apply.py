"""Measure what a second filter adds to a start: seclatch-apply, bare exec, setpriv, bubblewrap.

The others load before the exec, so their filter has to allow execve; here it is the same one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.paired import compare
from bench.start import default_like
from seclatch.apply import loadable
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.runtime.find_latch import find_latch

PROGRAM = "/usr/bin/true"


def report(runs: int) -> None:
    """Print all rows: the first column is the other tool, the second seclatch."""
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        profile, code = Path(folder) / "profile.json", Path(folder) / "profile.bpf"
        profile.write_text(json.dumps(default_like()))
        code.write_bytes(
            loadable.compile_loadable(parse_profile(profile.read_text(), "bench")).code
        )
        ours = [str(find_latch("apply")), str(code), PROGRAM]
        python = [sys.executable, "-m", "seclatch", "apply", "--profile"]
        bare = [sys.executable, "-c", ""]
        print(f"{'':<28} {'rival':>12} {'ours':>12}   {'ratio':>6}  (quartiles)", flush=True)
        row("apply: bare exec", [PROGRAM], ours, runs)
        row(
            "apply: setpriv",
            ["setpriv", "--nnp", "--seccomp-filter", str(code), PROGRAM],
            ours,
            runs,
        )
        row(
            "apply: bwrap",
            ["sh", "-c", BWRAP, "sh", str(code), PROGRAM],
            ["sh", "-c", 'exec "$@"', "sh", *ours],
            runs,
        )
        row("apply: python, profile", bare, [*python, str(profile), PROGRAM], runs)


# bwrap reads the program from a descriptor; without namespaces it does little else.
BWRAP = 'code=$1; shift; exec bwrap --dev-bind / / --seccomp 9 "$@" 9<"$code"'


def row(name: str, rival: Sequence[str], ours: Sequence[str], runs: int) -> None:
    """Print one comparison."""
    print(compare(name, lambda _: rival, lambda _: ours, runs).row(), flush=True)
