"""Count what a stack of filters leaves open, and which vulnerabilities that reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.profile.curated.call_data import load_dangerous
from seclatch.profile.curated.kernel_cves import (
    KernelCve,
    load_dangerous_arguments,
    load_kernel_cves,
)
from seclatch.profile.score.filter_stack import FilterStack


class CutCve(msgspec.Struct, frozen=True, kw_only=True):
    """A vulnerability that is out of reach; `denied` are the calls of the step that is missing."""

    cve: str
    denied: tuple[str, ...]


class ProfileScore(msgspec.Struct, frozen=True, kw_only=True):
    """What is open.

    `open`: calls that are made for some arguments at least, of `known` ones; `partly` of them for
    some only. `dangerous`, `arguments`: what opens a new kind of power. `reached`: vulnerabilities
    of which no step is denied. `wider`: by the name of a default profile, the calls that are open
    here and denied there.
    """

    name: str
    open: int
    partly: int
    known: int
    dangerous: tuple[str, ...]
    arguments: tuple[str, ...]
    reached: tuple[str, ...]
    cut: tuple[CutCve, ...]
    wider: Mapping[str, tuple[str, ...]]

    @property
    def cves(self) -> int:
        """How many vulnerabilities were looked at."""
        return len(self.reached) + len(self.cut)

    def order(self) -> tuple[int, int, int, str]:
        """Sort by exposure."""
        return (-len(self.reached), -len(self.dangerous), -self.open, self.name)


def score_profile(
    name: str,
    stack: FilterStack,
    arch: Arch,
    caps: frozenset[str],
    defaults: Mapping[str, FilterStack],
) -> ProfileScore:
    """Score filters on an architecture for a process that has these capabilities."""
    calls = load_syscalls(arch)
    names = list(calls.numbers)
    may = [call for call in names if stack.may_execute(call)]
    reached, cut = _judge_cves(stack, caps)
    return ProfileScore(
        name=name,
        open=len(may),
        partly=sum(not stack.always_executes(call) for call in may),
        known=len(names),
        dangerous=tuple(sorted(load_dangerous().keys() & set(may))),
        arguments=tuple(
            row.label
            for row in load_dangerous_arguments()
            if calls.has(row.call) and stack.lets_pass(row.needed)
        ),
        reached=tuple(reached),
        cut=tuple(cut),
        wider={
            default: tuple(call for call in sorted(may) if not other.may_execute(call))
            for default, other in defaults.items()
        },
    )


def _judge_cves(stack: FilterStack, caps: frozenset[str]) -> tuple[list[str], list[CutCve]]:
    reached, cut = [], []
    for row in load_kernel_cves().cves:
        denied = find_denied_step(stack, row, caps)
        if denied:
            cut.append(CutCve(cve=row.cve, denied=denied))
        else:
            reached.append(row.cve)
    return reached, cut


def find_denied_step(stack: FilterStack, row: KernelCve, caps: frozenset[str]) -> tuple[str, ...]:
    """Return the calls of the first step that is denied as a whole; none if all are open."""
    for step in load_kernel_cves().steps(row, caps):
        if not any(stack.lets_pass(call) for call in step):
            return tuple(dict.fromkeys(call.call for call in step))
    return ()


def group_by_title(cves: Iterable[str]) -> dict[str, list[str]]:
    """Group vulnerabilities by the part of the kernel that they are in, the largest first."""
    titles = {row.cve: row.title for row in load_kernel_cves().cves}
    groups: dict[str, list[str]] = {}
    for cve in cves:
        groups.setdefault(titles[cve], []).append(cve)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])))
