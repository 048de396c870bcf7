"""From a document's shape to a profile's values; every rule of the format is held here."""

from __future__ import annotations

import re
from collections import Counter

import msgspec

from seclatch.model import errno
from seclatch.model.action import ACTION_NAMES, DATA_MASK, Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import FLAGS, Arg, Condition, Profile, Rule
from seclatch.model.quoted_text import quote_text, shorten_text
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.profile.parse import json_shapes
from seclatch.profile.parse.suggest_keyword import suggest_nearest
from seclatch.profile.parse.text_position import FormatError, Path

MAX_COMPARISONS = 8192
MAX_OF_NAME = 768
"""Bounds of ours, and no kernel's: that takes any filter of 4096 instructions (BPF_MAXINSNS), which
can hold more comparisons of one call. What they say is found out by recursion, and in a time that
grows with their square."""

_KERNEL = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})")
_U64 = (1 << 64) - 1


def interpret_document(document: json_shapes.Seccomp) -> Profile:
    """Make a Profile of a document, or raise FormatError."""
    if document.architectures and document.arch_map:
        rule = "both `architectures` and `archMap` are given; engines refuse that"
        raise FormatError(("archMap",), rule, "keep one of the two")
    rules = document.syscalls or []
    if rules or document.default_action:
        _action(document.default_action, ("defaultAction",))
    _bound(rules)
    return Profile(
        default_action=document.default_action or "",
        default_errno=_errno(document.default_errno_ret, ("defaultErrnoRet",)),
        default_errno_name=_errno_name(document.default_errno, ("defaultErrno",)),
        architectures=_arches(document.architectures, ("architectures",)),
        arch_map=_arch_map(document.arch_map or []),
        rules=tuple(_rule(rule, ("syscalls", number)) for number, rule in enumerate(rules)),
        flags=_flags(document.flags),
        listener_path=document.listener_path or "",
        listener_metadata=document.listener_metadata or "",
    )


def _bound(rules: list[json_shapes.RuleShape]) -> None:
    """Refuse what would take more time and memory than it is worth, before they go into it.

    A rule stands for as many as it has names and comparisons. One that says for a call what an
    earlier one says, adds nothing to what is compared.
    """
    total = 0
    of_name: Counter[str] = Counter()
    seen: set[tuple[object, ...]] = set()
    for index, rule in enumerate(rules):
        names = rule.names or [rule.name or ""]
        args = tuple(msgspec.structs.astuple(arg) for arg in rule.args or ())
        comparisons = max(len(args), 1)
        total += len(names) * comparisons
        if total > MAX_COMPARISONS:
            raise _beyond(f"{MAX_COMPARISONS} names and comparisons", index)
        for name in names:
            said = (name, rule.action, rule.errno_ret, args)
            of_name[name] += 0 if said in seen else comparisons
            seen.add(said)
            if of_name[name] > MAX_OF_NAME:
                raise _beyond(f"{MAX_OF_NAME} comparisons for {quote_text(name)}", index)


def _beyond(what: str, rule: int) -> FormatError:
    text = f"more than {what}: seclatch reads no more, what they say together would take too long"
    return FormatError(("syscalls", rule), text)


def _rule(rule: json_shapes.RuleShape, path: Path) -> Rule:
    args = enumerate(rule.args or [])
    return Rule(
        names=_names(rule, path),
        action=_action(rule.action, (*path, "action")),
        errno=_errno(rule.errno_ret, (*path, "errnoRet")),
        errno_name=_errno_name(rule.errno, (*path, "errno")),
        args=tuple(_arg(arg, (*path, "args", number)) for number, arg in args),
        comment=rule.comment or "",
        includes=_condition(rule.includes, (*path, "includes")),
        excludes=_condition(rule.excludes, (*path, "excludes")),
    )


def _names(rule: json_shapes.RuleShape, path: Path) -> tuple[str, ...]:
    if rule.name and rule.names:
        raise FormatError((*path, "name"), "both `name` and `names` are given; engines refuse that")
    names = (rule.name,) if rule.name else tuple(rule.names or ())
    for index, name in enumerate(names):
        if not name:
            raise FormatError((*path, "names", index), "an empty name is not a system call")
        if not all("!" <= char <= "~" for char in name):
            # runc and crun cut a name at a NUL, and apply the rule to what is left
            raise FormatError(
                (*path, "names", index), f"{quote_text(name)} is no name of a system call"
            )
    return names


def _action(name: str | None, path: Path) -> str:
    if not name:
        raise FormatError(path, "no action is given", f"one of {', '.join(ACTION_NAMES)}")
    if name not in ACTION_NAMES:
        raise FormatError(
            path, f"unknown action {quote_text(name)}", suggest_nearest(name, ACTION_NAMES)
        )
    return name


def _errno(value: int | None, path: Path) -> int | None:
    if value is not None and not 0 <= value <= DATA_MASK:
        raise FormatError(
            path, f"{shorten_text(str(value))} does not fit into the 16 bits of an action's data"
        )
    return value


def _errno_name(name: str | None, path: Path) -> str:
    """containers-common's `errno`: a name or a number in digits."""
    try:
        if name and errno.parse_errno(name) > DATA_MASK:
            raise ValueError(f"errno {shorten_text(name)} is too big")
    except ValueError as error:
        raise FormatError(
            path, str(error), suggest_nearest(name or "", errno.load_errnos())
        ) from error
    return name or ""


def _arg(arg: json_shapes.ArgShape, path: Path) -> Arg:
    if not 0 <= arg.index < MAX_ARGS:
        raise FormatError(
            (*path, "index"), f"{shorten_text(str(arg.index))} is not an argument: they are 0 to 5"
        )
    try:
        operator = Operator.from_scmp(arg.op)
    except ValueError as error:
        remedy = suggest_nearest(arg.op, [operator.scmp for operator in Operator])
        raise FormatError((*path, "op"), str(error), remedy) from error
    values = {"value": arg.value, "valueTwo": arg.value_two or 0}
    for key, value in values.items():
        if not 0 <= value <= _U64:
            rule = f"{shorten_text(str(value))} is not an unsigned 64-bit number"
            raise FormatError((*path, key), rule, "write a negative one as 2**64 minus it")
    return Arg(arg.index, operator, values["value"], values["valueTwo"])


def _condition(condition: json_shapes.ConditionShape | None, path: Path) -> Condition:
    if condition is None:
        return Condition()
    kernel = None
    if condition.min_kernel:
        match = _KERNEL.fullmatch(condition.min_kernel)
        kernel = (int(match[1]), int(match[2])) if match else (0, 0)
        if kernel == (0, 0) or max(kernel) > 255:
            rule = f"{quote_text(condition.min_kernel)} is not a kernel version"
            raise FormatError(
                (*path, "minKernel"), rule, "write it as `4.8`: two numbers up to 255"
            )
    return Condition(tuple(condition.caps or ()), tuple(condition.arches or ()), kernel)


def _arches(names: list[str] | None, path: Path) -> tuple[Arch, ...]:
    return tuple(_arch(name, (*path, number)) for number, name in enumerate(names or []))


def _arch(name: str, path: Path) -> Arch:
    try:
        return Arch.from_scmp(name)
    except ValueError as error:
        remedy = suggest_nearest(name, [arch.scmp for arch in Arch])
        if name == "SCMP_ARCH_NATIVE":
            remedy = "leave it out: runtimes do not know it, and always filter the host's own"
        raise FormatError(path, str(error), remedy) from error


def _arch_map(entries: list[json_shapes.ArchMap]) -> tuple[tuple[Arch, tuple[Arch, ...]], ...]:
    found = []
    for number, entry in enumerate(entries):
        path = ("archMap", number)
        arch = _arch(entry.architecture, (*path, "architecture"))
        found.append((arch, _arches(entry.sub_architectures, (*path, "subArchitectures"))))
    return tuple(found)


def _flags(flags: list[str] | None) -> tuple[str, ...] | None:
    for number, flag in enumerate(flags or []):
        if flag not in FLAGS:
            raise FormatError(
                ("flags", number), f"unknown flag {quote_text(flag)}", suggest_nearest(flag, FLAGS)
            )
    return None if flags is None else tuple(flags)
