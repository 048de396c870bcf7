"""Actions and operators, against the kernel's and libseccomp's headers."""

import re
from pathlib import Path

import pytest

from seclatch.model.action import Action, ActionKind, Operator


def test_values_are_the_kernels() -> None:
    header = Path("/usr/include/linux/seccomp.h").read_text()
    values = {
        name: int(value, 16)
        for name, value in re.findall(r"#define (SECCOMP_RET_\w+)\s+(0x[0-9a-f]+)U", header)
    }
    for kind in ActionKind:
        assert values[kind.ret] == kind.value


def test_operators_are_libseccomps() -> None:
    header = Path("/usr/include/seccomp.h").read_text()
    values = {name: int(value) for name, value in re.findall(r"\b(SCMP_CMP_\w+) = (\d)", header)}
    assert values == {operator.scmp: operator.value for operator in Operator}


def test_precedence_is_the_kernels() -> None:
    order = sorted(ActionKind, key=lambda kind: kind.precedence)
    assert [kind.name for kind in order] == [
        "KILL_PROCESS",
        "KILL_THREAD",
        "TRAP",
        "ERRNO",
        "NOTIFY",
        "TRACE",
        "LOG",
        "ALLOW",
    ]


def test_names_and_return_values() -> None:
    for kind in ActionKind:
        action = Action.from_scmp(kind.scmp, 38)
        assert action.kind is kind
        assert Action.from_ret(action.ret) == action
    assert Action.from_scmp("SCMP_ACT_KILL").kind is ActionKind.KILL_THREAD
    assert Action.from_scmp("SCMP_ACT_ERRNO").ret == 0x00050001
    assert str(Action(ActionKind.ERRNO, 38)) == "SCMP_ACT_ERRNO(38)"


def test_unknown_return_value_kills_the_process() -> None:
    assert Action.from_ret(0x12340000).kind is ActionKind.KILL_PROCESS


@pytest.mark.parametrize("name", ["", "ALLOW", "SCMP_ACT_", "SCMP_ACT_allow"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="unknown action"):
        Action.from_scmp(name)
