"""What a comparison of two profiles by rules, for one host, does not cover of the second one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from seclatch.model.action import ActionKind
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Rule
from seclatch.model.syscall import load_syscalls
from seclatch.output.printable_text import clip_printable
from seclatch.profile.profile_input import ProfileInput

# Of a BPF program: a sentence about calls that some other ABI or an unnamed number gets through.
_MAY_PASS = re.compile(r"SCMP_ACT_(ALLOW|LOG|TRACE|NOTIFY)|has other rules")
_DECIDED_ELSEWHERE = (ActionKind.NOTIFY, ActionKind.TRACE)


def list_uncompared(before: ProfileInput, after: ProfileInput) -> tuple[str, ...]:
    """Return a sentence for each thing in `after` that may allow more and was not compared."""
    return (*_program(before, after), *_names(before, after), *_hosts(before, after))


def _program(before: ProfileInput, after: ProfileInput) -> Iterator[str]:
    if after.program and (not before.program or before.program != after.program):
        for sentence in after.warnings:
            if _MAY_PASS.search(sentence):
                yield sentence


def _names(before: ProfileInput, after: ProfileInput) -> Iterator[str]:
    """Names that no table here has: a newer libseccomp may know them."""
    old = _allowed_names(before)
    for name in sorted(_allowed_names(after) - old):
        if not any(load_syscalls(arch).has(name) for arch in Arch):
            yield f"{clip_printable(name, 100)}: no call of this name is known here"


def _allowed_names(given: ProfileInput) -> set[str]:
    rules = given.document.profile.rules if given.document else given.profile.rules
    return {name for rule in rules if _may_pass(rule) for name in rule.names}


def _may_pass(rule: Rule) -> bool:
    kind = rule.effect.kind
    return kind.executes or kind in _DECIDED_ELSEWHERE


def _hosts(before: ProfileInput, after: ProfileInput) -> Iterator[str]:
    """Rules for other hosts or capabilities: resolving has left them out.

    A program is for one host, and names no agent: there is nothing to compare with.
    """
    if not before.document or not after.document:
        return
    more = [rule for rule in _left_out(after) if rule not in _left_out(before)]
    for rule in filter(_may_pass, more):
        names = clip_printable(", ".join(rule.names[:3]), 200)
        yield f"a rule about {names} is for other hosts or capabilities: give --arch or --cap-add"
    listener = after.profile.listener_path
    if listener != before.profile.listener_path:
        yield f"another agent answers SCMP_ACT_NOTIFY: {clip_printable(listener, 200) or 'none'}"


def _left_out(given: ProfileInput) -> list[Rule]:
    if not given.document:
        return []
    kept = set(given.origin)
    return [rule for at, rule in enumerate(given.document.profile.rules) if at not in kept]
