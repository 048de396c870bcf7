"""Reading profiles: what is accepted, and what an error says."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError
from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.profile import Arg, Condition, Rule
from seclatch.profile.load import load, parse

DOCKER = """{
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 1,
  "archMap": [
    {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": null}
  ],
  "syscalls": [
    {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "io"},
    {"name": "ptrace", "action": "SCMP_ACT_ALLOW", "args": [],
     "includes": {"minKernel": "4.8", "caps": ["CAP_SYS_PTRACE"]}, "excludes": {}},
    {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0, "value": 131080, "op": "SCMP_CMP_EQ"}], "errnoRet": null}
  ]
}"""


def test_docker_format() -> None:
    profile = parse(DOCKER, "docker.json")
    assert profile.arch_map == ((Arch.X86_64, (Arch.X86, Arch.X32)), (Arch.AARCH64, ()))
    assert profile.rules[0] == Rule(("read", "write"), "SCMP_ACT_ALLOW", comment="io")
    assert profile.rules[1].names == ("ptrace",)
    assert profile.rules[1].includes == Condition(("CAP_SYS_PTRACE",), (), (4, 8))
    assert not profile.rules[1].excludes
    assert profile.rules[2].args == (Arg(0, Operator.EQ, 131080),)
    assert profile.conditional
    assert profile.default.ret == 0x50001


def test_config_json_and_bare_say_the_same() -> None:
    bare = {
        "defaultAction": "SCMP_ACT_LOG",
        "architectures": ["SCMP_ARCH_X86_64"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "listenerPath": "/run/agent.sock",
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}],
    }
    config = {"ociVersion": "1.0.2", "linux": {"seccomp": bare}}
    profile = parse(json.dumps(bare), "bare")
    assert profile == parse(json.dumps(config), "config.json")
    assert profile.flags == ("SECCOMP_FILTER_FLAG_LOG",)
    assert profile.listener_path == "/run/agent.sock"
    assert parse('{"linux": {}}', "config.json").default_action == ""


YAML = """\
apiVersion: security-profiles-operator.x-k8s.io/v1beta1
kind: SeccompProfile
metadata: {name: nginx}
spec:
  defaultAction: SCMP_ACT_ERRNO
  architectures: [SCMP_ARCH_X86_64]
  syscalls:
  - action: SCMP_ACT_ALLOW
    names:
    - accept4
    - bind
"""


def test_kubernetes_profile() -> None:
    profile = parse(YAML, "nginx.yaml")
    assert profile.architectures == (Arch.X86_64,)
    assert profile.rules == (Rule(("accept4", "bind"), "SCMP_ACT_ALLOW"),)


def test_kubernetes_errno_is_a_string() -> None:
    for written, number in (("ENOSYS", 38), ("'13'", 13), ("13", 13)):
        profile = parse(f"{YAML}    errnoRet: {written}\n", "nginx.yaml")
        assert profile.rules[0].errno == number


def broken(**changes: Any) -> str:
    rule = {"names": ["read"], "action": "SCMP_ACT_ALLOW"} | changes.pop("rule", {})
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]} | changes, indent=1)


@pytest.mark.parametrize(
    ("text", "place", "rule"),
    [
        ("{", "line 1, column 2", "not JSON"),
        ('{"a": NaN}', "", "NaN"),
        ('{"syscalls": [{"args": [],\n "args": null}]}', "line 2, column 10 (syscalls[0].args)",
         "'args' occurs twice"),
        ("[" * 100_000, "", "not JSON"),
        ("[]", "line 1, column 1", "Expected `object`"),
        (broken(defaultAction="ALLOW"), "line 2, column 19 (defaultAction)", "action 'ALLOW'"),
        (broken(defaultAction=None), "(defaultAction)", "no action"),
        (broken(rule={"action": 3}), "line 8, column 14 (syscalls[0].action)", "Expected `str"),
        (broken(rule={"action": "SCMP_ACT_ALOW"}), "(syscalls[0].action)", "unknown action"),
        (broken(rule={"name": "write"}), "(syscalls[0].name)", "both `name` and `names`"),
        (broken(rule={"names": [""]}), "(syscalls[0].names[0])", "empty name"),
        (broken(rule={"errnoRet": 70000}), "(syscalls[0].errnoRet)", "16 bits"),
        (broken(rule={"errno": "EWHAT"}), "(syscalls[0].errno)", "unknown errno"),
        (broken(rule={"args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}), ".args[0].index)", "0 to 5"),
        (broken(rule={"args": [{"index": 0, "op": "=="}]}), "args[0].op)", "unknown operator"),
        (broken(rule={"args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": -1}]}), ".value)", "bit"),
        (broken(rule={"args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 2**64}]}), ".value)", ""),
        (broken(rule={"includes": {"minKernel": "5"}}), "includes.minKernel)", "kernel version"),
        (broken(architectures=["X86"]), "(architectures[0])", "unknown architecture 'X86'"),
        (broken(flags=["LOG"]), "(flags[0])", "unknown flag"),
        (broken(architectures=["SCMP_ARCH_ARM"], archMap=[{"architecture": "SCMP_ARCH_ARM"}]),
         "(archMap)", "engines refuse"),
        (YAML.replace("_ALLOW", "_ALLOWED"), "line 8, column 13 (spec.syscalls[0].action)", "unkn"),
        (YAML + "    errnoRet: EWHAT\n", "line 12, column 15 (spec.syscalls[0].errnoRet)", "EWHAT"),
        (YAML.replace("kind: S", "kind: s"), "line 1", "neither"),
        ("a: &x [1]\nb: *x\n", "line 2, column 4", "aliases"),
        ("a: [\n", "line 2", "YAML"),
        ("", "", "empty"),
    ],
)  # fmt: skip
def test_errors_name_place_and_rule(text: str, place: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "file")
    assert place in caught.value.place
    assert rule in caught.value.problem
    assert str(caught.value).startswith("file: ")


def test_errors_offer_the_nearest_word() -> None:
    with pytest.raises(InputError) as caught:
        parse(broken(rule={"action": "SCMP_ACT_ALOW"}), "file")
    assert caught.value.remedy == "did you mean SCMP_ACT_ALLOW?"


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load(tmp_path / "none.json")
    (tmp_path / "latin").write_bytes(b'{"comment": "\xe9"}')
    with pytest.raises(InputError, match="byte 13: not UTF-8"):
        load(tmp_path / "latin")
    with (tmp_path / "big").open("wb") as file:
        file.truncate(3 << 20)
    with pytest.raises(InputError, match="2 MiB"):
        load(tmp_path / "big")


ONE = {"index": 0, "op": "SCMP_CMP_EQ", "value": 1}


@pytest.mark.parametrize(
    ("names", "args", "rule"),
    [
        ([f"name{number}" for number in range(9000)], [ONE] * 9, "8192 names and comparisons"),
        (["read"], [ONE] * 513, "512 rules for 'read'"),
    ],
)
def test_what_no_kernel_would_load_is_refused_early(
    names: list[str], args: list[Any], rule: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse(broken(rule={"names": names, "args": args}), "file")
    assert caught.value.place.endswith("(syscalls[0])")
    assert rule in caught.value.problem


def test_yaml_is_bounded() -> None:
    with pytest.raises(InputError, match="256 KiB"):
        parse("a: b\n" * 60_000, "file")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_CMP_EQ", "SCMP_ARCH_X86", "read"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["defaultAction", "syscalls", "names", "name", "action", "args", "index",
                         "op", "value", "includes", "minKernel", "archMap", "flags", "linux",
                         "seccomp", "architectures", "errnoRet"]),
        inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_any_json_is_read_or_refused(value: Any) -> None:
    try:
        parse(json.dumps(value, indent=1), "x")
    except InputError as error:
        assert error.status == 2


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text, "x")
    except InputError as error:
        assert error.status == 2
