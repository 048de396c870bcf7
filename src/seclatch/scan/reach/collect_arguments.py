"""Collect the values that reached code passes in the selected arguments of some calls."""

from __future__ import annotations

from collections import defaultdict

from seclatch.model.scan import PassedArgument
from seclatch.scan.analysis.passed_values import FUNCTIONS, FURTHER, PLACES
from seclatch.scan.analysis.text_arguments import ANY
from seclatch.scan.ld.linker import LinkedProgram
from seclatch.scan.reach.reachability import FUNCTION, ReachedCode

_MOST_OPEN = 4
"""Functions that are named for an argument that is not constant."""


def collect_arguments(
    program: LinkedProgram, reached: ReachedCode, searching: set[int]
) -> tuple[PassedArgument, ...]:
    """Return one row an argument. `searching`: modules that look up functions by name (dlsym)."""
    values: dict[str, set[int]] = defaultdict(set)
    unknown: dict[str, set[str]] = defaultdict(set)
    for index, module in enumerate(program.modules):
        summary = module.summary
        for function, key, value in summary.passed:
            if function >= 0 and (index, FUNCTION, function) not in reached.origins:
                continue
            if value != ANY:
                values[key].add(value)
            elif function < 0:
                unknown[key].add(f"{module.name}: a stored pointer")
            else:
                name = summary.names.get(function) or hex(summary.starts[function])
                unknown[key].add(f"{module.name}:{name}")
        for name in FUNCTIONS.keys() & set(summary.looked_up) if index in searching else ():
            for key in (FUNCTIONS[name], *_list_further(FUNCTIONS[name])):
                unknown[key].add(f"{module.name}: looked up by name")
    return tuple(
        PassedArgument(
            *PLACES[key],
            tuple(sorted(values[key])),
            tuple(sorted(unknown[key])[:_MOST_OPEN]),
        )
        for key in sorted(values.keys() | unknown.keys())
    )


def _list_further(call: str) -> list[str]:
    return [key for key, (name, _) in FURTHER.items() if name == call]
