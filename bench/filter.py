"""Measure how fast filters are evaluated, decompiled and listed, in CPU time.

The profile is Podman's default, which has Docker's rules and more; with x86 and x32 the program has
about 1200 instructions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from seclatch.filter.boundary_calls import list_boundary_calls
from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.filter.classic_bpf.verify import find_refusal
from seclatch.filter.decompile import decompile_filter
from seclatch.filter.disassemble import disassemble_filter
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.parse.load_profile import load_profile

PROFILE = Path("/usr/share/containers/seccomp.json")
ARCHES = (Arch.X86_64, Arch.X86, Arch.X32)


def default_program() -> Filter:
    host = Host(Arch.X86_64, frozenset(), (6, 18), Engine.PODMAN)
    profile = narrow_profile(load_profile(PROFILE), host)
    return Filter.from_bytes(
        compile_profile(profile, runtime=Runtime.RUNC, native=Arch.X86_64).code
    )


def best(runs: int, work: Callable[[], object]) -> float:
    """Return the least CPU seconds of several runs: the rest is the machine's noise."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def report(runs: int) -> None:
    program = default_program()
    calls = [call for arch in ARCHES for call in list_boundary_calls(program, arch)]
    sample = calls[:: len(calls) // 500]
    runs = max(1, min(runs, 5))

    def whole_table() -> None:
        evaluator = CallEvaluator(program)
        for call in calls:
            evaluator.value(call)

    print(f"{len(program)} instructions, {len(calls)} calls: all numbers with boundary arguments")
    rows = {
        "list the calls": lambda: [list(list_boundary_calls(program, arch)) for arch in ARCHES],
        "full table": whole_table,
        "verify": lambda: find_refusal(program),
        "disassemble": lambda: disassemble_filter(program),
        "decompile": lambda: decompile_filter(program),
    }
    for name, work in rows.items():
        print(f"{name:<28} {best(runs, work) * 1e3:9.2f} ms")
    single = best(runs, lambda: [simulate_filter(program, call) for call in sample]) / len(sample)
    print(f"{'interpreter, one call':<28} {single * 1e3:9.3f} ms (the plain one, for single calls)")
