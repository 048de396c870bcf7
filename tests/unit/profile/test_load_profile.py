"""Reading profiles: accepted formats, and the contents of errors."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError
from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Condition, Rule
from seclatch.profile.parse.load_profile import load_profile, parse_profile
from seclatch.profile.parse.profile_source import read_source
from seclatch.profile.parse.text_position import PlacedError

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
    profile = parse_profile(DOCKER, "docker.json")
    assert profile.arch_map == ((Arch.X86_64, (Arch.X86, Arch.X32)), (Arch.AARCH64, ()))
    assert profile.rules[0] == Rule(("read", "write"), "SCMP_ACT_ALLOW", comment="io")
    assert profile.rules[1].names == ("ptrace",)
    assert profile.rules[1].includes == Condition(("CAP_SYS_PTRACE",), (), (4, 8))
    assert not profile.rules[1].excludes
    assert profile.rules[2].args == (Arg(0, Operator.EQ, 131080),)
    assert profile.conditional
    assert profile.default.ret == 0x50001


def test_config_json_and_bare_profile_are_equal() -> None:
    bare = {
        "defaultAction": "SCMP_ACT_LOG",
        "architectures": ["SCMP_ARCH_X86_64"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "listenerPath": "/run/agent.sock",
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}],
    }
    config = {"ociVersion": "1.0.2", "linux": {"seccomp": bare}}
    profile = parse_profile(json.dumps(bare), "bare")
    assert profile == parse_profile(json.dumps(config), "config.json")
    assert profile.flags == ("SECCOMP_FILTER_FLAG_LOG",)
    assert profile.listener_path == "/run/agent.sock"
    assert parse_profile('{"linux": {}}', "config.json").default_action == ""


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
    profile = parse_profile(YAML, "nginx.yaml")
    assert profile.architectures == (Arch.X86_64,)
    assert profile.rules == (Rule(("accept4", "bind"), "SCMP_ACT_ALLOW"),)


EXPORTED = """\
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"security-profiles-operator.x-k8s.io/v1beta1","kind":"SeccompProfile"}
  creationTimestamp: "2026-01-02T03:04:05Z"
  finalizers: [node-1-delete]
  generation: 1
  managedFields:
  - apiVersion: security-profiles-operator.x-k8s.io/v1beta1
    fieldsType: FieldsV1
    fieldsV1:
      f:metadata:
        f:annotations:
          .: {}
          f:kubectl.kubernetes.io/last-applied-configuration: {}
        f:finalizers: {.: {}, 'v:"node-1-delete"': {}}
      f:spec: {.: {}, f:defaultAction: {}, f:syscalls: {}}
    manager: kubectl-client-side-apply
    operation: Update
    time: "2026-01-02T03:04:05Z"
  name: nginx
  namespace: default
"""


@pytest.mark.parametrize("own", ["disabled: false", "state: Enabled", 'baseProfileName: ""'])
@pytest.mark.parametrize("version", ["v1beta1", "v1"])
def test_a_manifest_exported_from_a_cluster(own: str, version: str) -> None:
    text = YAML.replace("metadata: {name: nginx}\n", "metadata:\n" + EXPORTED)
    text = text.replace("/v1beta1", f"/{version}", 1).replace("\nspec:", f"\nspec:\n  {own}")
    text += "status:\n  conditions: [{reason: Available, status: 'True', type: Ready}]\n"
    assert parse_profile(text, "nginx.yaml") == parse_profile(YAML, "nginx.yaml")


def test_kubernetes_errno_0_is_none() -> None:
    """The operator's Go value of a missing errnoRet."""
    refused = YAML.replace("action: SCMP_ACT_ALLOW", "action: SCMP_ACT_ERRNO")
    assert parse_profile(f"{refused}    errnoRet: 0\n", "nginx.yaml").rules[0].effect.data == 1


def test_kubernetes_errno_false_is_no_number() -> None:
    with pytest.raises(InputError, match=r"errnoRet\): Expected `int"):
        parse_profile(f"{YAML}    errnoRet: false\n", "nginx.yaml")


def test_a_list_of_manifests() -> None:
    with pytest.raises(InputError) as caught:
        parse_profile("apiVersion: v1\nkind: List\nitems: []\n", "all.yaml")
    assert "one of the list's items" in caught.value.remedy


def test_kubernetes_errno_is_a_string() -> None:
    for written, number in (("ENOSYS", 38), ("'13'", 13), ("13", 13)):
        profile = parse_profile(f"{YAML}    errnoRet: {written}\n", "nginx.yaml")
        assert profile.rules[0].errno == number


def broken(**changes: Any) -> str:
    rule = {"names": ["read"], "action": "SCMP_ACT_ALLOW"} | changes.pop("rule", {})
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]} | changes, indent=1)


@pytest.mark.parametrize(
    ("text", "place", "rule"),
    [
        ("{", "line 1, column 2", "not JSON"),
        ('{"a": "NaN",\n "b": NaN}', "line 2, column 7", "NaN"),
        ('{"a": "Infinity", "b": [-Infinity]}', "line 1, column 25", "Infinity"),
        ('{"a": ' + "9" * 5000 + "}", "line 1, column 7", "not JSON that"),
        (broken(rule={"\udfff": 1}), "line 1, column 1", "half a character"),
        (broken(rule={"includes": {"minKernel": "٤.٨"}}), "includes.minKernel)", "kernel version"),
        (
            '{"syscalls": [{"args": [],\n "args": null}]}',
            "line 2, column 10 (syscalls[0].args)",
            "'args' occurs twice, first at line 1, column 24:",
        ),
        ("[" * 100_000, "line 1, column 65", "nested more than 64 deep"),
        (
            '{"defaultAction": "[[", "x": ' + "[" * 64 + "]" * 64 + "}",
            "line 1, column 93",
            "64 deep",
        ),
        ('"' + "\\" * 100, "line 1, column 1", "neither JSON nor YAML"),
        ("[]", "line 1, column 1", "Expected `object`"),
        ('{"linux": []}', "line 1, column 11 (linux)", "Expected `object`, got `array`"),
        ('{"linux": 3}', "line 1, column 11 (linux)", "Expected `object`, got `int`"),
        ('{"linux":\n {"seccomp": 3}}', "line 2, column 14 (linux.seccomp)", "got `int`"),
        ('{"linux": {"seccomp": {"defaultAction": 3}}}', "(linux.seccomp.defaultAction)", "`int`"),
        (broken(syscalls=3), "(syscalls)", "got `int`"),
        (broken(syscalls=["read"]), "(syscalls[0])", "got `str`"),
        (broken(rule={"names": "read"}), "(syscalls[0].names)", "got `str`"),
        (broken(rule={"args": {}}), "(syscalls[0].args)", "got `object`"),
        (broken(rule={"args": [3]}), "(syscalls[0].args[0])", "got `int`"),
        (broken(rule={"args": [{"op": "SCMP_CMP_EQ"}]}), "(syscalls[0].args[0])", "field `index`"),
        (broken(rule={"includes": []}), "(syscalls[0].includes)", "got `array`"),
        (broken(rule={"includes": {"caps": "CAP_BPF"}}), "(syscalls[0].includes.caps)", "`str`"),
        (broken(rule={"errnoRet": 1.5}), "(syscalls[0].errnoRet)", "got `float`"),
        (broken(archMap={}), "(archMap)", "got `object`"),
        (broken(archMap=[{}]), "(archMap[0])", "field `architecture`"),
        (broken(flags="x"), "(flags)", "got `str`"),
        (broken(listenerPath=[]), "(listenerPath)", "got `array`"),
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
        (
            broken(architectures=["SCMP_ARCH_ARM"], archMap=[{"architecture": "SCMP_ARCH_ARM"}]),
            "(archMap)",
            "engines refuse",
        ),
        (YAML.replace("_ALLOW", "_ALLOWED"), "line 8, column 13 (spec.syscalls[0].action)", "unkn"),
        (YAML + "    errnoRet: EWHAT\n", "line 12, column 15 (spec.syscalls[0].errnoRet)", "EWHAT"),
        (YAML.replace("kind: S", "kind: s"), "line 1", "neither"),
        (f"{YAML}---\n{YAML}", "line 12, column 1", "several YAML documents"),
        ("a: &x [1]\nb: *x\n", "line 2, column 4", "aliases"),
        (YAML.replace("spec:", "spec: []\nx:"), "line 4, column 7 (spec)", "got `array`"),
        (YAML.replace("spec:", "spec: 3\nx:"), "line 4, column 7 (spec)", "got `int`"),
        (
            YAML + "  defaultAction: SCMP_ACT_LOG\n",
            "line 12, column 3",
            "'defaultAction' occurs twice, first at line 5, column 3",
        ),
        (YAML + "    names: [read]\n", "line 12, column 5", "'names' occurs twice"),
        (YAML + "  ? [a]\n  : b\n", "line 12, column 5", "no plain text"),
        ("a: " + "[" * 60 + "]" * 60, "line 1, column 35", "nested more than 32 deep"),
        ("a: " + "[" * 100_000, "line 1", "nest"),
        ("".join(" " * n + "a:\n" for n in range(600)), "line 33", "nested more than 32 deep"),
        ("a: !!python/object:os.system x\n", "line 1, column 4", "tags are not read"),
        ("a: !!timestamp x\n", "line 1, column 4", "tags are not read"),
        ("a: [!!bool x]\n", "line 1, column 5", "tags are not read"),
        ("a: !x {b: c}\n", "line 1, column 4", "tags are not read"),
        (YAML + "    errnoRet: 0x" + "f" * 5000 + "\n", "line 12, column 15", "a number beyond"),
        (YAML + "  3: 4\n", "line 12, column 3", "'3' is no plain text"),
        (YAML + "    on: 4\n", "line 12, column 5", "'on' is no plain text"),
        ("a: 2020-13-45\n", "line 1", "month"),
        ("a: [\n", "line 2", "YAML"),
        ("", "line 1", "empty"),
        ("null", "line 1", "neither a JSON profile nor"),
    ],
)
def test_errors_name_place_and_rule(text: str, place: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_profile(text, "file")
    assert place in caught.value.place
    assert rule in caught.value.problem
    assert isinstance(caught.value, PlacedError)
    assert caught.value.where.line > 0
    assert str(caught.value).startswith("file: ")


def test_errors_offer_the_nearest_word() -> None:
    with pytest.raises(InputError) as caught:
        parse_profile(broken(rule={"action": "SCMP_ACT_ALOW"}), "file")
    assert caught.value.remedy == "did you mean SCMP_ACT_ALLOW?"


def test_a_recording_is_distinguished_from_a_profile() -> None:
    with pytest.raises(InputError) as caught:
        parse_profile('{"schema": 1, "seclatch": "0.1.0"}', "app.json")
    assert "`seclatch generate`" in caught.value.remedy


def test_the_native_architecture_is_refused() -> None:
    """libseccomp knows the name, runc and crun do not."""
    with pytest.raises(InputError) as caught:
        parse_profile(broken(architectures=["SCMP_ARCH_NATIVE"]), "file")
    assert caught.value.remedy.startswith("leave it out")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("EQ", "SCMP_CMP_EQ"), ("masked_eq", "SCMP_CMP_MASKED_EQ")],
)
def test_a_name_without_its_prefix_is_known(word: str, meant: str) -> None:
    args = [{"index": 0, "value": 1, "op": word}]
    rules = [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": args}]
    with pytest.raises(InputError) as caught:
        parse_profile(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}), "x")
    assert caught.value.remedy == f"did you mean {meant}?"


def test_a_byte_order_mark(tmp_path: Path) -> None:
    """runc: invalid character 'ï'; crun: invalid char in json text. YAML may have one."""
    path = tmp_path / "marked"
    path.write_bytes(b'\xef\xbb\xbf{"defaultAction": "SCMP_ACT_LOG"}')
    with pytest.raises(InputError, match="line 1, column 1: it starts with a byte order mark"):
        load_profile(path)
    path.write_bytes(b"\xef\xbb\xbf" + YAML.encode())
    assert load_profile(path).architectures == (Arch.X86_64,)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_profile(tmp_path / "none.json")
    (tmp_path / "latin").write_bytes(b'{"comment": "\xe9"}')
    with pytest.raises(InputError, match="byte 13: not UTF-8"):
        load_profile(tmp_path / "latin")
    (tmp_path / "wide").write_bytes('{"comment": 1}'.encode("utf-16"))
    with pytest.raises(InputError, match="byte 0: not UTF-8") as caught:
        load_profile(tmp_path / "wide")
    assert "iconv" in caught.value.remedy
    assert not read_source(tmp_path / "wide").is_program
    with (tmp_path / "big").open("wb") as file:
        file.truncate(3 << 20)
    with pytest.raises(InputError, match="2 MiB"):
        load_profile(tmp_path / "big")


ONE = {"index": 0, "op": "SCMP_CMP_EQ", "value": 1}


@pytest.mark.parametrize(
    ("names", "args", "rule"),
    [
        ([f"name{number}" for number in range(9000)], [ONE] * 9, "8192 names and comparisons"),
        (["read"], [ONE] * 769, "768 comparisons for 'read'"),
    ],
)
def test_costly_input_is_refused_early(names: list[str], args: list[Any], rule: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_profile(broken(rule={"names": names, "args": args}), "file")
    assert caught.value.place.endswith("(syscalls[0])")
    assert rule in caught.value.problem
    assert isinstance(caught.value, PlacedError)
    assert caught.value.where.line > 0


def test_more_rules_for_one_call_than_most_have() -> None:
    """Kernels load 600 for ioctl; and repeating a rule adds nothing."""
    rules = [
        {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [ONE | {"value": value}]}
        for value in [*range(600), *[7] * 600]
    ]
    assert len(parse_profile(broken(syscalls=rules), "file").rules) == 1200


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (broken(flags=0).replace(": 0", ": " + "7" * 10_000), "a number of 10000 digits"),
        (broken(flags=0).replace(": 0", ": -" + "7" * 101), "a number of 101 digits"),
        ('{"x": {"a": 1, "a": 2}, "b": ' + "7" * 5000 + "}", "'a' occurs twice"),
        (broken(rule={"errnoRet": 10**90}), "does not fit"),
        (broken(rule={"action": "x" * 100_000}), "unknown action"),
        (broken(rule={"errno": "E" * 100_000}), "unknown errno"),
        (broken(rule={"names": ["\n" * 100_000]}), "no name of a system call"),
        (broken(architectures=["x" * 100_000]), "unknown architecture"),
        (broken(rule={"includes": {"minKernel": "5" * 100_000}}), "not a kernel version"),
        (YAML.replace("SCMP_ACT_ALLOW", "x" * 100_000), "unknown action"),
    ],
    ids=range(10),
)
def test_quoted_input_is_cut(text: str, rule: str) -> None:
    with pytest.raises(PlacedError) as caught:
        parse_profile(text, "file")
    assert rule in caught.value.problem
    assert "set_int_max_str_digits" not in caught.value.problem
    assert len(str(caught.value)) < 400
    assert caught.value.where.line > 0


def test_yaml_is_bounded() -> None:
    with pytest.raises(InputError, match="256 KiB"):
        parse_profile("a: b\n" * 60_000, "file")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_CMP_EQ", "SCMP_ARCH_X86", "read"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "defaultAction",
                    "syscalls",
                    "names",
                    "name",
                    "action",
                    "args",
                    "index",
                    "op",
                    "value",
                    "includes",
                    "minKernel",
                    "archMap",
                    "flags",
                    "linux",
                    "seccomp",
                    "architectures",
                    "errnoRet",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(VALUES)
def test_any_json_is_read_or_refused(value: Any) -> None:
    try:
        parse_profile(json.dumps(value, indent=1), "x")
    except InputError as error:
        assert error.status == 2


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_profile(text, "x")
    except InputError as error:
        assert error.status == 2
