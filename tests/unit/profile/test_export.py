"""Exported profiles: expressible parts are read back, and the others are named."""

import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import SeclatchError
from seclatch.model import errno
from seclatch.model.action import Action, ActionKind, Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.export.formats import FORMATS, has_conditions, write
from seclatch.profile.meaning.rule_meaning import read_meaning
from seclatch.profile.parse.load_profile import parse_profile
from tests.unit.profile.profiles import profiles, resolved_profiles

HOST = Host(Arch.X86_64, kernel=(6, 12), engine=Engine.PODMAN)


@given(profiles())
def test_docker_carries_everything(profile: Profile) -> None:
    assert parse_profile(write(profile, "docker").text, "x") == profile


@given(resolved_profiles())
def test_oci_carries_a_resolved_profile(profile: Profile) -> None:
    bare = write(profile, "oci").text
    assert parse_profile(bare, "x") == profile
    assert parse_profile(
        json.dumps({"linux": {"seccomp": json.loads(bare)}}), "x"
    ) == parse_profile(bare, "x")


WORDS = {
    "default_errno": "defaultErrno",
    "flags": "flags",
    "listener_path": "listenerPath",
    "listener_metadata": "listenerMetadata",
    "architectures": "architecture",
}
named = st.sampled_from(["", "", "EACCES", "ENOSYS"])


@pytest.mark.parametrize("form", ["docker", "containers-common", "oci", "kubernetes"])
@given(profiles(), named, named, st.sampled_from(["", "data"]))
def test_parts_without_a_warning_are_read_back(
    form: str, profile: Profile, errno: str, default: str, metadata: str
) -> None:
    """Field by field and rule by rule: unchanged, or with a warning."""
    rules = tuple(replace(rule, errno_name=errno) for rule in profile.rules)
    profile = replace(profile, rules=rules, default_errno_name=default, listener_metadata=metadata)
    if not has_conditions(form):
        profile = replace(
            narrow_profile(profile, HOST),
            rules=tuple(
                replace(rule, errno_name="", comment=profile.rules[0].comment)
                for rule in narrow_profile(profile, HOST).rules
            ),
        )
    written = write(profile, form)
    back = parse_profile(written.text, "x")
    for field, word in WORDS.items():
        same = getattr(back, field) == getattr(profile, field)
        if not same and (field != "default_errno" or back.default != profile.default):
            assert any(word in warning for warning in written.warnings), field
    if (back.default, back.default_errno_name) != (profile.default, profile.default_errno_name):
        assert any("default" in warning for warning in written.warnings)
    assert back.arch_map == profile.arch_map
    for index, (old, new) in enumerate(zip(profile.rules, back.rules, strict=True)):
        if replace(old, comment="") != replace(new, comment=""):
            assert any(f"rule {index}:" in warning for warning in written.warnings)
        if old.comment != new.comment:
            assert any("comments" in warning for warning in written.warnings)


def test_kubernetes_numbers() -> None:
    """As the operator's CustomResourceDefinition has them: `type: integer`, `format: int64`."""
    beyond = Arg(0, Operator.MASKED_EQ, 1 << 63, 0)
    rules = (
        Rule(("clone3",), "SCMP_ACT_ERRNO", 38),
        Rule(("mkdir",), "SCMP_ACT_ERRNO", 0),
        Rule(("ioctl",), "SCMP_ACT_ALLOW", args=(beyond,)),
        Rule(("read",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.NE, 1),) * 7),
    )
    written = write(Profile("SCMP_ACT_ERRNO", rules=rules), "kubernetes")
    syscalls = yaml.safe_load(written.text)["spec"]["syscalls"]
    assert [rule.get("errnoRet") for rule in syscalls] == [38, 0, None, None]
    text = "\n".join(written.warnings)
    assert "rule 1: errnoRet 0: the operator takes it for none, and answers EPERM" in text
    assert "rule 2: values beyond 0x7fffffffffffffff" in text
    assert "rule 3: more than 6 comparisons" in text
    assert "rule 0" not in text


def drop_in(text: str) -> dict[str, str]:
    """Return a drop-in's answer by name: "" if allowed, else the errno; "*" is everything else."""
    found = {"*": ""}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "SystemCallErrorNumber":
            found["*"] = value
        if key == "SystemCallFilter":
            for word in value.removeprefix("~").split():
                name, _, refusal = word.partition(":")
                found[name] = refusal if value.startswith("~") else ""
    return found


@given(resolved_profiles())
def test_a_drop_in_denies_what_it_cannot_express(profile: Profile) -> None:
    """It allows nothing that the profile does not, and each difference has a warning."""
    try:
        written = write(profile, "systemd")
    except SeclatchError:
        return
    message, meaning = drop_in(written.text), read_meaning(profile, Arch.X86_64)
    text = "\n".join(written.warnings)
    for name, clauses in meaning.calls.items():
        whole = meaning.unconditional(name)
        refusal = message.get(name, message["*"])
        if not refusal and not (whole and whole.kind.executes):
            # allowed by default, and not always: only calls that are logged by some arguments
            assert all(each.action.kind.executes for each in clauses)
        if whole is None or refusal != _refusal(whole):
            rules = [index for index, rule in enumerate(profile.rules) if name in rule.names]
            assert any(f"rule {index} (" in text for index in rules), (name, refusal)
    for word in ("listenerPath", "listenerMetadata", "flags"):
        field = {"listenerPath": "listener_path", "listenerMetadata": "listener_metadata"}
        given_one = getattr(profile, field.get(word, word))
        assert (word in text) == (given_one not in (None, ""))


def _refusal(action: Action) -> str:
    if action.kind is ActionKind.ALLOW:
        return ""
    if action.kind is ActionKind.ERRNO:
        return errno.name_errno(action.data)
    return "kill" if action.kind is ActionKind.KILL_PROCESS else "what systemd has not"


ALLOWLIST = Profile(
    "SCMP_ACT_ERRNO",
    default_errno=38,
    architectures=(Arch.X86_64, Arch.X86),
    rules=(
        Rule(("read", "write"), "SCMP_ACT_ALLOW"),
        Rule(("clone3",), "SCMP_ACT_ERRNO", 1),
        Rule(("socket",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.EQ, 1),)),
        Rule(("bpf",), "SCMP_ACT_KILL_PROCESS"),
        Rule(("mkdir",), "SCMP_ACT_LOG"),
        Rule(("acct",), "SCMP_ACT_TRAP"),
    ),
)


def test_systemd_allowlist() -> None:
    written = write(ALLOWLIST, "systemd")
    assert written.text == (
        "# Written by seclatch.\n"
        "[Service]\n"
        "SystemCallArchitectures=native x86-64 x86\n"
        "SystemCallErrorNumber=ENOSYS\n"
        "SystemCallFilter=read write mkdir\n"
        "SystemCallFilter=~clone3:EPERM bpf:kill acct:kill\n"
    )
    assert [warning.split(":")[0] for warning in written.warnings[1:]] == [
        "rule 2 (socket)",
        "rule 4 (mkdir)",
        "rule 5 (acct)",
    ]
    assert "@default" in written.warnings[0]


def test_systemd_denylist() -> None:
    rules = (
        Rule(("socket",), "SCMP_ACT_ERRNO", 97, (Arg(0, Operator.EQ, 16),)),
        Rule(("bpf",), "SCMP_ACT_ERRNO"),
        Rule(("read",), "SCMP_ACT_ALLOW"),
    )
    written = write(Profile("SCMP_ACT_ALLOW", rules), "systemd")
    assert "SystemCallFilter=~socket:EAFNOSUPPORT bpf:EPERM\n" in written.text
    assert len(written.warnings) == 1


def test_systemd_has_no_logging_default() -> None:
    with pytest.raises(SeclatchError, match="SCMP_ACT_LOG"):
        write(Profile("SCMP_ACT_LOG"), "systemd")


def test_containers_common_names_min_kernel() -> None:
    text = """{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
      {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}}]}"""
    profile = parse_profile(text, "x")
    assert write(profile, "docker").warnings == ()
    assert write(profile, "containers-common").warnings == (
        "rule 0 (ptrace): Podman does not read minKernel",
    )


def test_every_format_writes_text() -> None:
    for name in FORMATS:
        assert write(ALLOWLIST, name).text.endswith("\n")


def test_clone_without_namespaces_becomes_a_setting_of_systemd_s() -> None:
    flags = Arg(0, Operator.MASKED_EQ, 0x7E020000, 0)
    rules = (Rule(("read",), "SCMP_ACT_ALLOW"), Rule(("clone",), "SCMP_ACT_ALLOW", args=(flags,)))
    written = write(Profile("SCMP_ACT_ERRNO", rules, (Arch.X86_64,), default_errno=1), "systemd")
    assert "SystemCallFilter=read clone\nRestrictNamespaces=yes\n" in written.text
    assert not any("clone" in line for line in written.warnings)
