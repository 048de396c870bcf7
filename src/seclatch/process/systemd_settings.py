"""Compile systemd's settings to the programs that systemd loads: one for each setting and ABI.

Sources: systemd.exec(5), and what systemd 257 was observed to load (tests/process/test_units.py). A
setting that is not listed here, or that another version compiles differently, has no name. See
decision 0082.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from seclatch.model.action import ENOSYS, EPERM, Action, ActionKind, Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg
from seclatch.system import libseccomp

SETTINGS = (
    "SystemCallFilter",
    "SystemCallErrorNumber",
    "RestrictRealtime",
    "LockPersonality",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelTunables",
    "ProtectKernelModules",
    "ProtectClock",
    "PrivateDevices",
    "RestrictNamespaces",
    "SystemCallArchitectures",
)
"""Properties that systemd is asked for."""

GROUPS = {"ProtectKernelModules": "@module", "ProtectClock": "@clock", "PrivateDevices": "@raw-io"}
KNOWN = "@known"

Rule = tuple[str, Action, tuple[Arg, ...]]

_ALLOW, _DENY = Action(ActionKind.ALLOW), Action(ActionKind.ERRNO, EPERM)
_KILL = str((1 << 31) - 2)  # SECCOMP_ERROR_NUMBER_KILL
_ENABLED = ("yes", "true", "1")
# <linux/sched.h>: CLONE_NEW* in order of value, the highest first.
_NAMESPACES = (1 << 30, 1 << 29, 1 << 28, 1 << 27, 1 << 26, 1 << 25, 1 << 17, 1 << 7)
_ABIS = {Arch.X86_64: (Arch.X86_64, Arch.X86, Arch.X32), Arch.AARCH64: (Arch.AARCH64, Arch.ARM)}
_SIMPLE: dict[str, list[Rule]] = {
    # sched(7): all policies except SCHED_OTHER (0), SCHED_BATCH (3) and SCHED_IDLE (5).
    "RestrictRealtime": [
        *(("sched_setscheduler", _DENY, (Arg(1, Operator.EQ, size),)) for size in (1, 2, 4)),
        ("sched_setscheduler", _DENY, (Arg(1, Operator.GT, 5),)),
    ],
    "LockPersonality": [("personality", _DENY, (Arg(0, Operator.NE, 0),))],
    "ProtectHostname": [("sethostname", _DENY, ()), ("setdomainname", _DENY, ())],
    "ProtectKernelLogs": [("syslog", _DENY, ())],
    "ProtectKernelTunables": [("_sysctl", _DENY, ())],
    # The flags of clone3 are in memory, which a filter cannot read.
    "RestrictNamespaces": [
        ("clone3", Action(ActionKind.ERRNO, ENOSYS), ()),
        ("setns", _DENY, ()),
        *(
            (call, _DENY, (Arg(0, Operator.MASKED_EQ, flag, flag),))
            for flag in _NAMESPACES
            for call in ("unshare", "clone")
        ),
    ],
}


def compile_settings(
    settings: Mapping[str, str], groups: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, bytes]]:
    """Yield each program that systemd loads for a unit, with the name of the setting.

    `settings`: from `systemctl show`. `groups`: the members of systemd's groups of calls.
    """
    native = Arch.native()
    if settings.get("SystemCallArchitectures") == "native":
        with libseccomp.open_filter_context(_ALLOW) as building:
            yield "SystemCallArchitectures", building.export()
    for abi in _ABIS.get(native, (native,)):
        if calls := settings.get("SystemCallFilter", ""):
            default, rules = _make_call_filter(calls, settings, groups.get(KNOWN, ()))
            yield "SystemCallFilter", _compile(abi, default, rules, tree=True)
        for name in SETTINGS:
            if settings.get(name) not in _ENABLED:
                continue
            members = groups.get(GROUPS.get(name, ""), ())
            rules = _SIMPLE.get(name) or [(name, _DENY, ()) for name in members]
            yield name, _compile(abi, _ALLOW, rules, tree=name in GROUPS)


def _make_call_filter(
    calls: str, settings: Mapping[str, str], known: Sequence[str]
) -> tuple[Action, list[Rule]]:
    """Return the default action and the rules of SystemCallFilter.

    `~…` lists denied calls. Otherwise the list is of allowed calls: calls that systemd knows are
    then denied as the unit says, and calls that it does not know get ENOSYS.
    """
    words = calls.removeprefix("~").split()
    number = settings.get("SystemCallErrorNumber", "")
    denied = _DENY
    if number == _KILL or not number.isdigit():
        denied = Action(ActionKind.KILL_PROCESS)
    elif int(number) < 4096:
        denied = Action(ActionKind.ERRNO, int(number))
    if calls.startswith("~"):
        return _ALLOW, [(word, denied, ()) for word in words]
    others = [name for name in known if name not in words and libseccomp.resolve_syscall(name) >= 0]
    allowed: list[Rule] = [(word, _ALLOW, ()) for word in words]
    return Action(ActionKind.ERRNO, ENOSYS), allowed + [(name, denied, ()) for name in others]


def _compile(abi: Arch, default: Action, rules: Sequence[Rule], *, tree: bool) -> bytes:
    with libseccomp.open_filter_context(default) as building:
        if abi is not Arch.native():
            building.arch_remove(Arch.native())
            building.arch_add(abi)
        building.answer_others(_ALLOW)
        if tree:
            building.search_in_a_tree()
        for name, action, args in rules:
            number = libseccomp.resolve_syscall(name)
            if number != libseccomp.NR_ERROR and action != default:
                building.rule_add(action, number, args, exact=True)
        return building.export()
