"""systemd's settings as the programs that it loads for them: one for each setting and ABI.

Sources: systemd.exec(5), and what systemd 257 was seen to load (tests/process/test_units.py). A
setting that is not here, or that another version compiles otherwise, stays without a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from seclatch.model.action import ENOSYS, EPERM, Action, ActionKind, Operator
from seclatch.model.arch import Arch
from seclatch.model.profile import Arg
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
"""What is asked of systemd."""

GROUPS = {"ProtectKernelModules": "@module", "ProtectClock": "@clock", "PrivateDevices": "@raw-io"}
KNOWN = "@known"

Rule = tuple[str, Action, tuple[Arg, ...]]

_ALLOW, _DENY = Action(ActionKind.ALLOW), Action(ActionKind.ERRNO, EPERM)
_KILL = str((1 << 31) - 2)  # SECCOMP_ERROR_NUMBER_KILL
_ON = ("yes", "true", "1")
# <linux/sched.h>: CLONE_NEW* in order of value, the highest first.
_NAMESPACES = (1 << 30, 1 << 29, 1 << 28, 1 << 27, 1 << 26, 1 << 25, 1 << 17, 1 << 7)
_ABIS = {Arch.X86_64: (Arch.X86_64, Arch.X86, Arch.X32), Arch.AARCH64: (Arch.AARCH64, Arch.ARM)}
_SIMPLE: dict[str, list[Rule]] = {
    # sched(7): what is not SCHED_OTHER (0), SCHED_BATCH (3) or SCHED_IDLE (5).
    "RestrictRealtime": [
        *(("sched_setscheduler", _DENY, (Arg(1, Operator.EQ, size),)) for size in (1, 2, 4)),
        ("sched_setscheduler", _DENY, (Arg(1, Operator.GT, 5),)),
    ],
    "LockPersonality": [("personality", _DENY, (Arg(0, Operator.NE, 0),))],
    "ProtectHostname": [("sethostname", _DENY, ()), ("setdomainname", _DENY, ())],
    "ProtectKernelLogs": [("syslog", _DENY, ())],
    "ProtectKernelTunables": [("_sysctl", _DENY, ())],
    # clone3's flags are out of a filter's sight.
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
    """Each program that systemd loads for a unit's settings (`systemctl show`), with the setting's
    name. `groups`: the members of its groups of calls."""
    native = Arch.native()
    if settings.get("SystemCallArchitectures") == "native":
        with libseccomp.open_filter_context(_ALLOW) as building:
            yield "SystemCallArchitectures", building.export()
    for abi in _ABIS.get(native, (native,)):
        if calls := settings.get("SystemCallFilter", ""):
            default, rules = _filter(calls, settings, groups.get(KNOWN, ()))
            yield "SystemCallFilter", _compile(abi, default, rules, tree=True)
        for name in SETTINGS:
            if settings.get(name) not in _ON:
                continue
            members = groups.get(GROUPS.get(name, ""), ())
            rules = _SIMPLE.get(name) or [(name, _DENY, ()) for name in members]
            yield name, _compile(abi, _ALLOW, rules, tree=name in GROUPS)


def _filter(
    calls: str, settings: Mapping[str, str], known: Sequence[str]
) -> tuple[Action, list[Rule]]:
    """A list of calls that are denied (`~…`), or of all that are not: then what systemd knows is
    denied as the unit says, and what it does not know gets ENOSYS."""
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
