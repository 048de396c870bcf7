"""Find where two filters return different verdicts on one call, by following both at once.

See docs/decisions/0010 (exact comparison).
"""

from __future__ import annotations

from seclatch.filter.call_cases import normalize_action
from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.filter.symbolic.decision_paths import DecisionPath, walk_paths
from seclatch.filter.symbolic.symbolic_execution import Node
from seclatch.filter.symbolic.term import TooComplexError
from seclatch.filter.symbolic.word_set import FULL, WordSet
from seclatch.model.action import Action
from seclatch.model.arch import Arch
from seclatch.model.seccomp_data import ARGS, MAX_ARGS

Values = tuple[int, ...]


def diff_filters(
    one: Node, other: Node, arch: Arch, budget: BranchBudget | None = None
) -> dict[tuple[Action, Action], Values]:
    """Return each pair of different actions, with six arguments that get them.

    The graphs are those of one call. Raises TooComplexError.
    """
    found: dict[tuple[Action, Action], Values] = {}
    budget = budget or BranchBudget()
    for path in walk_paths(one, {}, budget):
        for both in walk_paths(other, path.domains, budget):
            pair = _find_action(path), _find_action(both)
            if pair[0] != pair[1] and pair not in found:
                values = _make_example(both, arch)
                if values is not None:
                    found[pair] = values
    return found


def _find_action(path: DecisionPath) -> Action:
    if path.unusual or not isinstance(path.value, int):
        raise TooComplexError("a filter compares in a path that no profile does")
    return normalize_action(path.value)


def _make_example(path: DecisionPath, arch: Arch) -> Values | None:
    """Return arguments that take this path; None if there are none."""
    words = []
    for word in range(ARGS, ARGS + 2 * MAX_ARGS):
        value = _find_word(path.domains.get(word, FULL))
        if value is None:
            return None
        words.append(value)
    pairs = zip(words[::2], words[1::2], strict=True)
    return tuple(
        high << 32 | low for low, high in (pair if arch.little else pair[::-1] for pair in pairs)
    )


def _find_word(domain: WordSet) -> int | None:
    """Return some word of a set."""
    return 0 if 0 in domain else next((value for _, value in domain.cubes()), None)
