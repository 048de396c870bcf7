"""Determine what a stack of filters answers to a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seclatch.filter.classic_bpf.simulate import UNASKED, simulate_stack
from seclatch.filter.query_filter import QueryAnswer, query_filter
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import SeccompData


@dataclass(frozen=True, slots=True)
class StackAnswers:
    """The answers of a stack.

    `layers`: each filter's answers, the newest first. `whole`: the combined action, "" if it
    depends on arguments that are left open. `unasked`: why the kernel runs no filter for this call,
    "" if it does.
    """

    whole: str
    layers: tuple[tuple[QueryAnswer, ...], ...]
    unasked: str = ""


def query_stack(programs: Sequence[Filter], asked: AskedCall) -> StackAnswers:
    """Query all filters of a thread, newest first, about a call. Raises SeclatchError."""
    arch, number = asked.syscall.arch, asked.syscall.number
    layers = tuple(tuple(query_filter(program, asked)) for program in programs)
    unasked = UNASKED.get(number, "") if arch is Arch.X86_64 else ""
    if any(len(answers) != 1 or answers[0].condition for answers in layers):
        one_only = layers[0] if len(layers) == 1 else ()
        whole = one_only[0].action if len(one_only) == 1 else ""
        return StackAnswers(whole, layers, unasked)
    call = SeccompData(arch.audit, number, tuple(value or 0 for value in asked.args))
    verdict = simulate_stack(list(reversed(programs)), call)
    return StackAnswers(str(verdict.action), layers, unasked)
