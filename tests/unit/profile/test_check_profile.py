"""Each check: a profile that has the fault, and one that has not."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile
from seclatch.profile.check_profile import MAX_EACH, check_profile
from seclatch.profile.checks.runtime_needs import NEEDS
from seclatch.profile.compile.resolve_profile import Host
from seclatch.profile.export.formats import write
from seclatch.profile.parse.load_profile import parse_document
from seclatch.system import bounded_child
from seclatch.system.libseccomp import read_version
from tests.unit.profile.profiles import profiles

HOST = Host(Arch.X86_64, kernel=(6, 12))


def rule(names: str, action: str = "ALLOW", **more: Any) -> dict[str, Any]:
    return {"names": names.split(), "action": f"SCMP_ACT_{action}"} | more


def compare(op: str, value: int, second: int = 0, index: int = 0) -> dict[str, Any]:
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": second}


def codes(*rules: dict[str, Any], host: Host = HOST, **more: Any) -> dict[str, str]:
    text = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": list(rules)} | more, indent=1)
    found = check_profile(parse_document(text, "x"), host)
    return {finding.code: finding.message for finding in found}


NO_NEW_USER = {"args": [compare("MASKED_EQ", 0x7E020000)]}

CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("unknown-key", {"rules": [rule("read", include={})]}, {"rules": [rule("read", includes={})]}),
    ("unknown-key", {"default": "x"}, {}),
    ("unknown-syscall", {"rules": [rule("raed")]}, {"rules": [rule("read")]}),
    ("no-names", {"rules": [rule("")]}, {"rules": [rule("read")]}),
    (
        "no-names",
        {"rules": [{"names": None, "action": "SCMP_ACT_ALLOW"}]},
        {"rules": [{"name": "read", "action": "SCMP_ACT_ALLOW"}]},
    ),
    (
        "not-on-architecture",
        {"rules": [rule("set_tls")]},
        {"rules": [rule("set_tls")], "architectures": ["SCMP_ARCH_ARM"]},
    ),
    ("absent-names", {"rules": [rule("read waitpid")]}, {"rules": [rule("read wait4")]}),
    ("repeated-rule", {"rules": [rule("read"), rule("read")]}, {"rules": [rule("read")]}),
    ("overruled-rule", {"rules": [rule("read"), rule("read", "LOG")]}, {}),
    ("overruled-rule", {"rules": [rule("read", args=[compare("EQ", 1)]), rule("read")]}, {}),
    (
        "conflicting-rules",
        {
            "rules": [
                rule("read", args=[compare("EQ", 1)]),
                rule("read", "LOG", args=[compare("EQ", 1)]),
            ]
        },
        {},
    ),
    (
        "redundant-rule",
        {"rules": [rule("read", "ERRNO", errnoRet=1)]},
        {"rules": [rule("read", "ERRNO", errnoRet=2)]},
    ),
    (
        "ambiguous-rules",
        {
            "rules": [
                rule("read", args=[compare("EQ", 1)]),
                rule("read", "LOG", args=[compare("EQ", 1, index=1)]),
            ]
        },
        {
            "rules": [
                rule("read", args=[compare("EQ", 1)]),
                rule("read", "LOG", args=[compare("EQ", 2)]),
            ]
        },
    ),
    (
        "libseccomp-merge",
        {"rules": [rule("read", args=[compare("LT", 9), compare("GT", 20)])]},
        {"rules": [rule("read", args=[compare("EQ", 9), compare("EQ", 20)])]},
    ),
    (
        "constant-comparison",
        {"rules": [rule("read", args=[compare("LT", 0)])]},
        {"rules": [rule("read", args=[compare("LT", 1)])]},
    ),
    ("constant-comparison", {"rules": [rule("read", args=[compare("GE", 0)])]}, {}),
    (
        "constant-comparison",
        {"rules": [rule("socket", args=[compare("NE", 16), compare("NE", 3)])]},
        {"rules": [rule("socket", args=[compare("NE", 16), compare("LT", 16)])]},
    ),
    (
        "constant-comparison",
        {"rules": [rule("ioctl", args=[compare("GE", 5, index=1), compare("LE", 10, index=1)])]},
        {"rules": [rule("ioctl", args=[compare("GE", 10, index=1), compare("LT", 9, index=1)])]},
    ),
    (
        "beyond-mask",
        {"rules": [rule("read", args=[compare("MASKED_EQ", 5, 3)])]},
        {"rules": [rule("read", args=[compare("MASKED_EQ", 5, 4)])]},
    ),
    (
        "argument-twice",
        {
            "rules": [
                rule("read", args=[compare("EQ", 1), compare("EQ", 2), compare("EQ", 3, 0, 1)])
            ]
        },
        {"rules": [rule("read", args=[compare("EQ", 1), compare("EQ", 2)])]},
    ),
    ("x32-open", {"architectures": ["SCMP_ARCH_X32"]}, {}),
    ("compat-open", {"architectures": ["SCMP_ARCH_X86"]}, {}),
    ("compat-closed", {}, {"architectures": ["SCMP_ARCH_X86"]}),
    (
        "host-not-mapped",
        {"archMap": [{"architecture": "SCMP_ARCH_ARM"}]},
        {"archMap": [{"architecture": "SCMP_ARCH_X86_64"}]},
    ),
    ("dangerous-syscall", {"rules": [rule("io_uring_setup")]}, {}),
    ("dangerous-syscall", {"defaultAction": "SCMP_ACT_ALLOW"}, {}),
    ("user-namespace", {"rules": [rule("clone")]}, {"rules": [rule("clone", **NO_NEW_USER)]}),
    ("user-namespace", {"rules": [rule("unshare")]}, {"rules": [rule("unshare", **NO_NEW_USER)]}),
    ("clone3-open", {"rules": [rule("clone3")]}, {}),
    (
        "clone3-not-enosys",
        {"rules": [rule("clone")]},
        {"rules": [rule("clone"), rule("clone3", "ERRNO", errnoRet=38)]},
    ),
    ("one-of-twins", {"rules": [rule("open")]}, {"rules": [rule("open openat openat2")]}),
    (
        "one-of-twins",
        {"rules": [rule("openat")]},
        {"rules": [rule("open openat"), rule("openat2", "ERRNO", errnoRet=38)]},
    ),
    (
        "kills-one-thread",
        {"defaultAction": "SCMP_ACT_KILL"},
        {"defaultAction": "SCMP_ACT_KILL_PROCESS"},
    ),
    (
        "errno-unused",
        {"rules": [rule("read", errnoRet=1)]},
        {"rules": [rule("bpf", "TRACE", errnoRet=1)]},
    ),
    ("feigned-success", {"rules": [rule("read", "ERRNO", errnoRet=0)]}, {}),
    (
        "errno-too-big",
        {"rules": [rule("read", "ERRNO", errnoRet=4095)]},
        {"rules": [rule("read", "ERRNO", errnoRet=4094)]},
    ),
    (
        "no-listener",
        {"rules": [rule("bpf", "NOTIFY")]},
        {"rules": [rule("bpf", "NOTIFY")], "listenerPath": "/run/x"},
    ),
    ("notify-write", {"rules": [rule("write", "NOTIFY")]}, {"rules": [rule("bpf", "NOTIFY")]}),
    ("notify-race", {"rules": [rule("bpf", "NOTIFY")]}, {}),
    ("slow-call", {"rules": [rule("read", args=[compare("EQ", 1)])]}, {"rules": [rule("read")]}),
    ("slow-call", {"rules": [rule("read", "LOG")]}, {"rules": [rule("acct", "LOG")]}),
    ("podman-min-kernel", {"rules": [rule("read", includes={"minKernel": "4.8"})]}, {}),
    (
        "docker-errno-name",
        {"rules": [rule("read", "ERRNO", errno="EACCES")]},
        {"rules": [rule("read", "ERRNO", errno="EACCES", errnoRet=13)]},
    ),
    (
        "docker-errno-name",
        {"defaultErrno": "ENOSYS"},
        {"defaultErrno": "ENOSYS", "defaultErrnoRet": 38},
    ),
    (
        "runc-enosys",
        {"rules": [rule("read write")]},
        {"rules": [rule("read write", "ERRNO")], "defaultAction": "SCMP_ACT_ALLOW"},
    ),
    ("flags-refused", {"flags": ["SECCOMP_FILTER_FLAG_LOG"]}, {"flags": []}),
    (
        "crun-cache",
        {"rules": [rule("bpf", "TRACE", errnoRet=1)]},
        {
            "rules": [
                rule("read", errnoRet=1),
                rule("bpf", "ERRNO"),
                rule("acct", "ERRNO", errnoRet=2, includes={"arches": ["arm"]}),
            ]
        },
    ),
    (
        "crun-comparisons",
        {"rules": [rule("read", args=[compare("EQ", n) for n in range(7)])]},
        {"rules": [rule("read", args=[compare("EQ", n) for n in range(6)])]},
    ),
    (
        "youki-alternatives",
        {"rules": [rule("read", args=[compare("EQ", 1), compare("EQ", 1, index=1)])]},
        {
            "rules": [
                rule("read", args=[compare("EQ", 1), compare("LT", 9), compare("EQ", 1, 0, 1)])
            ]
        },
    ),
    ("youki-empty-args", {"rules": [rule("read", args=[])]}, {"rules": [rule("read", args=None)]}),
    ("plain-runtime", {"rules": [rule("read")]}, {"defaultAction": "SCMP_ACT_ALLOW"}),
]


@pytest.mark.parametrize(("code", "faulty", "sound"), CASES, ids=[case[0] for case in CASES])
def test_fault_is_found_and_its_absence_not(
    code: str, faulty: dict[str, Any], sound: dict[str, Any]
) -> None:
    faulty, sound = dict(faulty), dict(sound)
    assert code in codes(*faulty.pop("rules", []), **faulty)
    assert code not in codes(*sound.pop("rules", []), **sound)


def test_comparisons_of_one_argument_are_reported_as_alternatives() -> None:
    args = [compare("NE", 0), compare("NE", 0xFFFFFFFF), compare("EQ", 77, index=1)]
    found = codes(rule("personality", "ERRNO", errnoRet=13, args=args))
    either = "arg0 != 0x0 or arg0 != 0xffffffff or arg1 == 0x4d"
    assert either in found["argument-twice"]
    assert f"`{either}` holds for every value" in found["constant-comparison"]


def test_a_mask_of_no_bits_has_the_more_exact_finding() -> None:
    found = codes(rule("read", args=[compare("MASKED_EQ", 0, 5)]))
    assert "beyond-mask" in found and "constant-comparison" not in found
    assert "constant-comparison" in codes(rule("read", args=[compare("MASKED_EQ", 0)]))


def test_comparisons_ignored_by_crun_are_reported() -> None:
    found = codes(
        rule("read", args=[*(compare("GT", n, 0, n) for n in range(6)), compare("EQ", 9)])
    )
    assert (
        " with it this one holds where arg0 > 0x0 and arg1 > 0x1 and" in found["crun-comparisons"]
    )
    assert "so runc and youki take" in found["argument-twice"]


@pytest.mark.skipif(read_version() >= (2, 6, 1), reason="this libseccomp has no such fault")
def test_a_profile_that_libseccomp_miscompiles_is_found() -> None:
    """GHSA-4q85-33p6-j5g6: with 1 as second argument the second comparison holds."""
    args = [compare("LT", 0, index=1), compare("LT", 1 << 32, index=1)]
    found = codes(rule("read", "KILL_THREAD", args=args))
    assert "miscompiled" in found
    assert "the rules say SCMP_ACT_KILL_THREAD" in found["miscompiled"]


def test_a_profile_that_libseccomp_compiles_correctly_is_not() -> None:
    args = [compare("EQ", 1, index=1), compare("EQ", 1 << 32, index=1)]
    assert "miscompiled" not in codes(rule("read", args=args))


def test_a_program_that_no_kernel_loads_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """libseccomp compiles programs of any length, the runtime then fails with EINVAL."""
    monkeypatch.setattr(bounded_child, "SECONDS", 10)  # this one ends, after over a second
    rules = [
        rule(name, args=[compare("EQ", (n << 32) + len(name))])
        for name in ("read", "ioctl", "sendto")
        for n in range(400)
    ]
    found = codes(*rules)
    assert "a program has 1 to 4096" in found["does-not-compile"]
    assert "does-not-compile" not in codes(*rules[:500])


def test_findings_name_the_position() -> None:
    text = json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [rule("bpf", includes={"caps": ["CAP_BPF"]}), rule("raed ptrace")],
        },
        indent=1,
    )
    found = {finding.code: finding for finding in check_profile(parse_document(text, "x"), HOST)}
    lines = text.split("\n")
    for code, name in (("unknown-syscall", "raed"), ("dangerous-syscall", "ptrace")):
        place = found[code]
        assert lines[place.line - 1][place.column - 1 :].startswith(f'"{name}"')


def test_runc_s_stub_is_reported() -> None:
    """Above the highest call named it answers ENOSYS, from which libraries and runc fall back."""
    rules = rule("openat open clone prlimit64")
    found = codes(rules)
    assert "with crun clone3 gets SCMP_ACT_ERRNO(1)" in found["clone3-not-enosys"]
    assert found["clone3-not-enosys"].endswith("; runc answers ENOSYS")
    assert "with crun" not in codes(rules, rule("landlock_create_ruleset"))["clone3-not-enosys"]
    assert "clone3-not-enosys" not in codes(rules, defaultErrnoRet=38)
    assert "(with crun: runc answers ENOSYS)" in codes(rule("dup2 openat open"))["one-of-twins"]
    mixed = codes(rule("chmod mq_open faccessat"))["one-of-twins"]
    assert mixed.endswith("(with crun: runc answers ENOSYS to faccessat2)")


def test_calls_with_a_fallback_are_not_needed() -> None:
    """Go falls back from faccessat2, crun from close_range, where they are answered by an errno."""
    needed = {*NEEDS["runc"], *NEEDS["crun"]} - {"faccessat2", "close_range"}
    assert "plain-runtime" not in codes(rule(" ".join(needed)))
    killed = codes(rule(" ".join(needed)), defaultAction="SCMP_ACT_KILL_PROCESS")
    assert killed["plain-runtime"].startswith("plain crun itself needs 1 call that")


def test_conditions_decide_which_rules_are_checked() -> None:
    bpf = rule("bpf", includes={"caps": ["CAP_BPF"]})
    assert "dangerous-syscall" not in codes(bpf)
    assert "dangerous-syscall" in codes(bpf, host=Host(Arch.X86_64, frozenset({"CAP_BPF"})))


def test_arm64_lacks_the_old_variants() -> None:
    found = codes(rule("openat openat2"), host=Host(Arch.AARCH64))
    assert "one-of-twins" not in found


def test_findings_are_bounded() -> None:
    rules = [rule(" ".join(f"zzz{number}" for number in range(MAX_EACH * 3)))]
    text = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules})
    found = check_profile(parse_document(text, "x"), HOST)
    unknown = [finding for finding in found if finding.code == "unknown-syscall"]
    assert len(unknown) == MAX_EACH + 1
    assert any("more than" in finding.message for finding in unknown)


@given(profiles())
def test_any_profile_can_be_checked(profile: Profile) -> None:
    for arch in (Arch.X86_64, Arch.AARCH64, Arch.S390X):
        for finding in check_profile(
            parse_document(write(profile, "docker").text, "x"), Host(arch)
        ):
            assert finding.message
            assert finding.line or not finding.path


def test_every_code_is_documented() -> None:
    documented = (Path(__file__).parents[3] / "docs/profile.md").read_text()
    known = {case[0] for case in CASES} | {
        "empty-profile",
        "miscompiled",
        "not-a-profile",
        "beyond-rules",
    }
    assert not {code for code in known if f"`{code}`" not in documented}
