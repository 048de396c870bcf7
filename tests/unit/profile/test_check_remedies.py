"""Each kind of finding: a profile that has it, and the same one after its remedy."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.arch import Arch
from seclatch.model.profile.finding import Finding
from seclatch.model.syscall import load_syscalls
from seclatch.profile.check_profile import check_profile
from seclatch.profile.checks.namespaces import CLONE_NEWUSER
from seclatch.profile.checks.runtime_needs import NEEDS
from seclatch.profile.compile.resolve_profile import Host
from seclatch.profile.parse.load_profile import parse_document
from seclatch.system.libseccomp import read_version

HOST = Host(Arch.X86_64, kernel=(6, 12))
SOURCES = Path(__file__).parents[3] / "src/seclatch/profile"
Json = dict[str, Any]


def rule(names: str, action: str = "ALLOW", **more: Any) -> Json:
    return {"names": names.split(), "action": f"SCMP_ACT_{action}"} | more


def compare(op: str, value: int, second: int = 0, index: int = 0) -> Json:
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": second}


def profile(*rules: Json, **more: Any) -> Json:
    return {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": list(rules)} | more


def manifest(**own: Any) -> Json:
    return {
        "apiVersion": "security-profiles-operator.x-k8s.io/v1",
        "kind": "SeccompProfile",
        "spec": profile(rule("read")) | own,
    }


def cut(*path: Any) -> Callable[[Json, Finding], None]:
    """Remove the value at a path, by default the path of the finding."""

    def apply(document: Json, finding: Finding) -> None:
        *way, last = path or finding.path
        for key in way:
            document = document[key]
        del document[last]

    return apply


def put(*path_and_value: Any) -> Callable[[Json, Finding], None]:
    """Set the value at a path."""
    *path, value = path_and_value

    def apply(document: Json, _: Finding) -> None:
        *way, last = path
        for key in way:
            document = document[key]
        document[last] = value

    return apply


def add(*rules: Json) -> Callable[[Json, Finding], None]:
    return lambda document, _: document["syscalls"].extend(rules)


def meant(document: Json, finding: Finding) -> None:
    """Return the word of `did you mean …?` (or `write …`)."""
    match = re.fullmatch(r"(?:did you mean|write) (\S+?)\??", finding.remedy)
    assert match, finding.remedy
    *way, last = finding.path
    at: Any = document
    for key in way:
        at = at[key]
    if isinstance(at, dict) and not isinstance(at[last], str):
        at[match[1]] = at.pop(last)
    else:
        at[last] = match[1]


NO_NAMESPACES = {"args": [compare("MASKED_EQ", 0x7E020000)]}
READ_1 = {"args": [compare("EQ", 1)]}
RUNC = [name for name in NEEDS["runc"] if load_syscalls(Arch.X86_64).has(name)]
ENOSYS = rule("clone3", "ERRNO", errnoRet=38)

# code, the profile, the remedy's text, the change that follows it
CASES: list[tuple[str, Json, str, Callable[[Json, Finding], None]]] = [
    ("unknown-key", profile(rule("read", include={})), "did you mean includes?", meant),
    ("unknown-key", profile(rule("read"), whatever=1), "remove it", cut()),
    ("unknown-syscall", profile(rule("wriet")), "did you mean write?", meant),
    ("unknown-syscall", profile(rule("read qqqqqqqqq")), "correct or remove it", cut()),
    ("no-names", profile(rule("read"), rule("")), "remove it", cut()),
    ("no-names", profile(rule("")), "name the calls", put("syscalls", 0, "names", ["read"])),
    ("not-on-architecture", profile(rule("read set_tls")), "remove it", cut()),
    (
        "not-on-architecture",
        profile(rule("set_tls")),
        "add the architecture",
        put("architectures", ["SCMP_ARCH_ARM"]),
    ),
    (
        "not-on-architecture",
        profile(rule("read set_tls", includes={"arches": ["amd64"]})),
        "ask for the architecture",
        put("syscalls", 0, "includes", "arches", ["arm64"]),
    ),
    (
        "absent-names",
        profile(rule("read umount")),
        "name the newer one",
        put("syscalls", 0, "names", ["read", "umount2"]),
    ),
    (
        "dead-rule",
        profile(rule("read", includes={"caps": ["CAP_BPF"]}, excludes={"caps": ["CAP_BPF"]})),
        "correct the condition",
        cut("syscalls", 0, "excludes"),
    ),
    (
        "dead-rule",
        profile(
            rule("read", includes={"arches": ["amd64"]}, excludes={"arches": ["amd64", "arm64"]})
        ),
        "remove the rule",
        cut(),
    ),
    (
        "dead-rule",
        profile(rule("read", includes={"minKernel": "99.0"})),
        "correct the condition",
        put("syscalls", 0, "includes", "minKernel", "4.8"),
    ),
    (
        "dead-rule",
        profile(rule("read", includes={"minKernel": "5.0"}, excludes={"minKernel": "4.0"})),
        "correct the condition",
        put("syscalls", 0, "excludes", "minKernel", "6.0"),
    ),
    ("dead-rule", profile(rule("read", excludes={"minKernel": "3.0"})), "remove the rule", cut()),
    (
        "dead-rule",
        profile(rule("read", includes={"caps": ["SYS_ADMIN"]})),
        "correct the condition",
        put("syscalls", 0, "includes", "caps", ["CAP_SYS_ADMIN"]),
    ),
    (
        "unknown-capability",
        profile(rule("read", includes={"caps": ["CAP_SYS_ADMN"]})),
        "did you mean CAP_SYS_ADMIN?",
        meant,
    ),
    (
        "unknown-arch",
        profile(rule("read", includes={"arches": ["SCMP_ARCH_X86_64"]})),
        "write amd64",
        meant,
    ),
    (
        "unknown-arch",
        profile(rule("read", excludes={"arches": ["arm65"]})),
        "did you mean arm64?",
        meant,
    ),
    ("idle-min-kernel", profile(rule("read", includes={"minKernel": "3.2"})), "remove it", cut()),
    ("repeated-rule", profile(rule("read"), rule("read")), "remove one", cut("syscalls", 1)),
    (
        "overruled-rule",
        profile(rule("read"), rule("read", "LOG")),
        "remove the one that is not meant",
        cut("syscalls", 1),
    ),
    (
        "overruled-rule",
        profile(rule("read", **READ_1), rule("read", "LOG")),
        "remove the one that is not meant",
        cut("syscalls", 0),
    ),
    (
        "conflicting-rules",
        profile(rule("read", **READ_1), rule("read", "LOG", **READ_1)),
        "keep one",
        cut("syscalls", 0),
    ),
    ("redundant-rule", profile(rule("read", "ERRNO", errnoRet=1)), "remove it", cut("syscalls", 0)),
    (
        "ambiguous-rules",
        profile(rule("read", **READ_1), rule("read", "LOG", args=[compare("EQ", 1, index=1)])),
        "or the actions equal",
        put("syscalls", 1, "action", "SCMP_ACT_ALLOW"),
    ),
    (
        "ambiguous-rules",
        profile(rule("read", **READ_1), rule("read", "LOG", args=[compare("LT", 2)])),
        "exclude each other",
        put("syscalls", 1, "args", 0, "op", "SCMP_CMP_GT"),
    ),
    (
        "libseccomp-merge",
        profile(rule("read", args=[compare("LT", 9), compare("GT", 20)])),
        "compare by equality",
        put("syscalls", 0, "args", [compare("EQ", 9), compare("EQ", 20)]),
    ),
    (
        "constant-comparison",
        profile(rule("read", args=[compare("LT", 0)])),
        "correct the value",
        put("syscalls", 0, "args", 0, "value", 1),
    ),
    (
        "constant-comparison",
        profile(rule("read", args=[compare("GE", 0)])),
        "remove the comparison",
        cut(),
    ),
    (
        "constant-comparison",
        profile(rule("ioctl", args=[compare("GE", 1), compare("LE", 2)])),
        "a list of values",
        lambda document, _: document.update(
            syscalls=[rule("ioctl", args=[compare("EQ", value)]) for value in (1, 2)]
        ),
    ),
    (
        "beyond-mask",
        profile(rule("read", args=[compare("MASKED_EQ", 5, 3)])),
        "correct the mask",
        put("syscalls", 0, "args", 0, "value", 7),
    ),
    (
        "beyond-mask",
        profile(rule("read", args=[compare("MASKED_EQ", 5, 3)])),
        "or the bits",
        put("syscalls", 0, "args", 0, "valueTwo", 1),
    ),
    (
        "argument-twice",
        profile(
            rule(
                "ioctl",
                args=[compare("NE", 1), compare("NE", 9, index=1), compare("LT", 9, index=1)],
            )
        ),
        "a rule for each alternative",
        lambda document, _: document.update(
            syscalls=[rule("ioctl", args=[arg]) for arg in document["syscalls"][0]["args"]]
        ),
    ),
    (
        "does-not-compile",
        profile(rule("read"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_S390X"]),
        "change the rule",
        put("architectures", ["SCMP_ARCH_X86_64"]),
    ),
    (
        "does-not-compile",
        profile(rule("read"), architectures=["SCMP_ARCH_SH"]),
        "leave it out",
        put("architectures", []),
    ),
    (
        "does-not-compile",
        profile(rule("read", errnoRet=1)),
        "change the rule",
        cut("syscalls", 0, "errnoRet"),
    ),
    (
        "x32-open",
        profile(architectures=["SCMP_ARCH_X32"]),
        "remove SCMP_ARCH_X32",
        cut("architectures", 0),
    ),
    (
        "compat-open",
        profile(architectures=["SCMP_ARCH_X86"]),
        "remove SCMP_ARCH_X86",
        cut("architectures", 0),
    ),
    ("compat-closed", profile(), "add SCMP_ARCH_X86", put("architectures", ["SCMP_ARCH_X86"])),
    (
        "host-not-mapped",
        profile(archMap=[{"architecture": "SCMP_ARCH_ARM"}]),
        "add an entry",
        put("archMap", [{"architecture": "SCMP_ARCH_X86_64"}]),
    ),
    ("dangerous-syscall", profile(rule("read ptrace")), "leave it out", cut()),
    (
        "user-namespace",
        profile(rule("clone")),
        "MASKED_EQ with 0x7e020000",
        put("syscalls", 0, "args", NO_NAMESPACES["args"]),
    ),
    (
        "user-namespace",
        profile(rule("unshare")),
        "MASKED_EQ with 0x7e020000",
        put("syscalls", 0, "args", NO_NAMESPACES["args"]),
    ),
    ("user-namespace", profile(rule("read setns")), "leave it out", cut()),
    (
        "clone3-open",
        profile(rule("clone3")),
        "ERRNO 38 (ENOSYS)",
        lambda document, _: document.update(syscalls=[ENOSYS]),
    ),
    (
        "clone3-not-enosys",
        profile(rule("clone", **NO_NAMESPACES)),
        json.dumps(ENOSYS)[:30],
        lambda document, finding: document["syscalls"].append(json.loads(finding.remedy[4:])),
    ),
    ("one-of-twins", profile(rule("open")), "allow all of them", add(rule("openat openat2"))),
    (
        "one-of-twins",
        profile(rule("dup2")),
        "refuse the newer ones with ERRNO 38",
        add(rule("dup3", "ERRNO", errnoRet=38)),
    ),
    (
        "kills-one-thread",
        profile(defaultAction="SCMP_ACT_KILL"),
        "SCMP_ACT_KILL_PROCESS",
        put("defaultAction", "SCMP_ACT_KILL_PROCESS"),
    ),
    (
        "kills-one-thread",
        profile(rule("bpf", "KILL_THREAD")),
        "SCMP_ACT_KILL_PROCESS",
        put("syscalls", 0, "action", "SCMP_ACT_KILL_PROCESS"),
    ),
    (
        "errno-unused",
        profile(rule("read", errnoRet=1)),
        "remove errnoRet",
        cut("syscalls", 0, "errnoRet"),
    ),
    (
        "feigned-success",
        profile(rule("read", "ERRNO", errnoRet=0)),
        "answer an errno",
        put("syscalls", 0, "errnoRet", 13),
    ),
    (
        "errno-too-big",
        profile(rule("read", "ERRNO", errnoRet=4095)),
        "a number of errno(3)",
        put("syscalls", 0, "errnoRet", 13),
    ),
    (
        "no-listener",
        profile(rule("bpf", "NOTIFY")),
        "give listenerPath",
        put("listenerPath", "/run/agent.sock"),
    ),
    (
        "notify-write",
        profile(rule("write", "NOTIFY"), listenerPath="/run/agent.sock"),
        "leave write out",
        put("syscalls", 0, "names", ["bpf"]),
    ),
    (
        "notify-race",
        profile(rule("bpf", "NOTIFY")),
        "never guard by NOTIFY alone",
        put("syscalls", 0, "action", "SCMP_ACT_ERRNO"),
    ),
    (
        "slow-call",
        profile(rule("read", **READ_1)),
        "allow it without conditions",
        cut("syscalls", 0, "args"),
    ),
    (
        "slow-call",
        profile(rule("read", "LOG")),
        "allow it",
        put("syscalls", 0, "action", "SCMP_ACT_ALLOW"),
    ),
    (
        "podman-min-kernel",
        profile(rule("read", includes={"minKernel": "4.8"})),
        "a profile of its own for Podman",
        cut(),
    ),
    (
        "docker-errno-name",
        profile(rule("read", "ERRNO", errno="EACCES")),
        "give errnoRet too",
        put("syscalls", 0, "errnoRet", 13),
    ),
    (
        "docker-errno-name",
        profile(defaultErrno="ENOSYS"),
        "give defaultErrnoRet too",
        put("defaultErrnoRet", 38),
    ),
    (
        "runc-enosys",
        profile(rule("read write")),
        "name the newest calls explicitly",
        add(rule(" ".join(load_syscalls(Arch.X86_64).numbers))),
    ),
    (
        "flags-refused",
        profile(flags=["SECCOMP_FILTER_FLAG_LOG"]),
        "leave the flags out",
        cut("flags", 0),
    ),
    (
        "crun-cache",
        profile(rule("mkdir", "ERRNO", errnoRet=13)),
        "remove /run/crun/.cache/seccomp",
        cut("syscalls", 0, "errnoRet"),
    ),
    (
        "crun-comparisons",
        profile(rule("read", args=[compare("EQ", n) for n in range(7)])),
        "rules of their own",
        lambda document, _: document["syscalls"].append(
            rule("read", args=[document["syscalls"][0]["args"].pop()])
        ),
    ),
    (
        "youki-alternatives",
        profile(rule("read", args=[compare("EQ", 1), compare("EQ", 1, index=1)])),
        "do not rely on it",
        cut("syscalls", 0, "args", 1),
    ),
    ("youki-empty-args", profile(rule("read", args=[])), "leave `args` out", cut()),
    ("youki-refuses", profile(architectures=["SCMP_ARCH_LOONGARCH64"]), "remove it", cut()),
    (
        "youki-refuses",
        profile(flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]),
        "remove it",
        cut(),
    ),
    (
        "youki-refuses",
        profile(rule("bpf", "TRACE", errnoRet=40000)),
        "keep to 32767",
        put("syscalls", 0, "errnoRet", 32767),
    ),
    (
        "plain-runtime",
        profile(rule("read")),
        "or allow them",
        add(rule(" ".join({*RUNC, *NEEDS["crun"]} - {"read"}))),
    ),
    (
        "not-installed",
        manifest(disabled=True),
        "write `disabled: false`",
        put("spec", "disabled", False),
    ),
    (
        "not-installed",
        manifest(state="Disabled"),
        "write `state: Enabled`",
        put("spec", "state", "Enabled"),
    ),
    ("empty-profile", {}, "give it a defaultAction", put("defaultAction", "SCMP_ACT_ERRNO")),
]


def found(document: Json) -> list[Finding]:
    return check_profile(parse_document(json.dumps(document, indent=1), "x"), HOST)


@pytest.mark.parametrize(
    ("code", "faulty", "remedy", "apply"), CASES, ids=[f"{case[0]}-{case[2]}" for case in CASES]
)
def test_the_remedy_helps(
    code: str, faulty: Json, remedy: str, apply: Callable[[Json, Finding], None]
) -> None:
    before = [finding for finding in found(faulty) if finding.code == code]
    assert before
    finding = next(each for each in before if remedy in each.remedy)
    sound = deepcopy(faulty)
    apply(sound, finding)
    assert sound != faulty
    assert code not in {each.code for each in found(sound)}


@pytest.mark.skipif(read_version() >= (2, 6, 1), reason="this libseccomp has no such fault")
def test_the_remedy_for_a_miscompiled_profile() -> None:
    """GHSA-4q85-33p6-j5g6: with 1 as second argument the second comparison holds."""
    wrong = [compare("LT", 0, index=1), compare("LT", 1 << 32, index=1)]
    faulty = profile(rule("read", "KILL_THREAD", args=wrong))
    (finding,) = [each for each in found(faulty) if each.code == "miscompiled"]
    assert "compare by equality" in finding.remedy
    exact = [compare("EQ", 0, index=1), compare("EQ", 1 << 32, index=1)]
    sound = found(profile(rule("read", "KILL_THREAD", args=exact)))
    assert "miscompiled" not in {each.code for each in sound}


def test_every_code_is_tested() -> None:
    """All codes that the checks can report; and the documents name all of them."""
    text = "".join(path.read_text() for path in SOURCES.rglob("*.py"))
    known = set(re.findall(r'Finding\(\s*"([a-z0-9-]+)"', text))
    known |= set(re.findall(r'Fate\.\w+: \("([a-z-]+)"', text))
    tested = {case[0] for case in CASES} | {"miscompiled"}
    assert known - tested == {"not-a-profile", "beyond-rules"}  # tests/unit/cli has those
    documented = (SOURCES.parents[2] / "docs/profile.md").read_text()
    assert not {code for code in known if f"`{code}`" not in documented}


def test_masks_of_the_remedy_cover_every_namespace() -> None:
    assert 0x7E020000 & CLONE_NEWUSER
