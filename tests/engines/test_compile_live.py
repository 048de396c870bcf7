"""The compiler against real runtimes: its program equals the live container's byte for byte.

Read back with PTRACE_SECCOMP_GET_FILTER.
"""

import json
import platform
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seclatch.errors import SeclatchError
from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Engine, resolve_profile
from seclatch.profile.compile.runtime_limits import RUNC_UNKNOWN
from seclatch.profile.parse.load_profile import load_profile, parse_profile
from seclatch.system.read_filters import read_filters
from tests.engines.bundles import Container, running, wait_for_filter

pytestmark = [pytest.mark.root, pytest.mark.engine]

CONTAINERS_COMMON = Path("/usr/share/containers/seccomp.json")


def rule(names: str, action: str = "SCMP_ACT_ERRNO", **more: Any) -> dict[str, Any]:
    return {"names": names.split(), "action": action} | more


def compare(index: int, op: str, value: int, second: int = 0) -> dict[str, Any]:
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": second}


# Denylists, so that every runtime starts its container; the rules cover libseccomp's special cases.
DENY = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"],
    "syscalls": [
        rule("mkdir rmdir no_such_call", errnoRet=38),
        rule("socket", args=[compare(0, "EQ", 16), compare(1, "GE", 2)]),
        rule("personality", args=[compare(0, "GT", 8), compare(0, "EQ", 3)]),
        rule("clone", args=[compare(0, "MASKED_EQ", 0x10000000, 0x10000000)]),
        rule("mknod", action="SCMP_ACT_TRACE"),
        rule("getpid", action="SCMP_ACT_ALLOW"),
        rule("mkdir", errnoRet=13),
        rule("bpf", action="SCMP_ACT_KILL_PROCESS"),
        rule("ptrace", action="SCMP_ACT_KILL"),
        rule("kcmp", action="SCMP_ACT_LOG"),
        rule("acct", action="SCMP_ACT_TRAP"),
    ],
}


def allowing(names: list[str], **more: Any) -> dict[str, Any]:
    """Make an allowlist of everything but a few calls, with runc's ENOSYS stub in front."""
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [rule(" ".join(names), "SCMP_ACT_ALLOW")],
    } | more


def allowlist(**more: Any) -> dict[str, Any]:
    names = [name for name in load_syscalls(Arch.native()).numbers if name not in ("bpf", "acct")]
    return allowing(names, **more)


def containers_common() -> dict[str, Any]:
    value = resolve_profile(
        load_profile(CONTAINERS_COMMON),
        arch=Arch.native(),
        caps=frozenset(),
        kernel=(6, 12),
        engine=Engine.PODMAN,
    )
    assert value is not None
    return value


X86 = [
    ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    ["SCMP_ARCH_X32"],
    [],
    ["SCMP_ARCH_X86"],
]
PROFILES: dict[str, Callable[[], dict[str, Any]]] = {
    "denylist": lambda: DENY,
    "containers-common": containers_common,
    "kill": lambda: allowlist(defaultAction="SCMP_ACT_KILL_PROCESS"),
    "enosys": lambda: allowlist(defaultErrnoRet=38),
    **{f"allow-{len(a)}-{a[-1:]}": lambda a=a: allowlist(architectures=a) for a in X86},
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the profiles name x86's ABIs")
@pytest.mark.parametrize("runtime", [Runtime.RUNC, Runtime.CRUN], ids=lambda r: r.value)
@pytest.mark.parametrize("name", PROFILES)
def test_live_program_equals_compiled(runtime: Runtime, name: str, tmp_path: Path) -> None:
    seccomp = PROFILES[name]()
    program = compile_profile(parse_profile(json.dumps(seccomp), name), runtime=runtime)
    with running(runtime.value, tmp_path, seccomp) as pid:
        filters = read_filters(pid)
    assert len(filters) == 1
    assert filters[0] in (program.code, *program.alternatives)
    assert len(program.alternatives) <= (0 if runtime is Runtime.CRUN else 3)


HARMLESS = ["mkdir", "rmdir", "bpf", "acct", "kcmp", "ptrace", "keyctl", "socket", "clone3"]
numbers = st.sampled_from([0, 1, 2, 7, 0x7E020000, 0xFFFFFFFF, 1 << 32, (1 << 64) - 1])
harmless_args = st.lists(
    st.builds(
        compare,
        st.integers(0, 3),
        st.sampled_from([operator.name for operator in Operator]),
        numbers,
        numbers,
    ),
    max_size=3,
)
harmless = st.builds(
    lambda names, action, errno, args: (
        rule(" ".join(names), f"SCMP_ACT_{action}", args=args)
        | ({"errnoRet": errno} if action in ("ERRNO", "TRACE") else {})
    ),
    st.lists(st.sampled_from(HARMLESS), min_size=1, max_size=3),
    st.sampled_from(["ERRNO", "LOG", "TRAP", "TRACE", "KILL", "KILL_PROCESS", "ALLOW"]),
    st.sampled_from([1, 13, 38]),
    harmless_args,
)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the profiles name x86's ABIs")
@pytest.mark.parametrize("runtime", [Runtime.RUNC, Runtime.CRUN], ids=lambda r: r.value)
@given(rules=st.lists(harmless, min_size=1, max_size=6), arches=st.sampled_from(X86))
@settings(max_examples=12, deadline=None, database=None)
def test_any_denylist(runtime: Runtime, rules: list[dict[str, Any]], arches: list[str]) -> None:
    """The compiler accepts what the runtime loads, and refuses what the runtime refuses."""
    seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": arches, "syscalls": rules}
    with tempfile.TemporaryDirectory() as folder:
        container = Container(runtime.value, Path(folder), seccomp)
        try:
            status, log = container.start()
            try:
                program = compile_profile(parse_profile(json.dumps(seccomp), "x"), runtime=runtime)
            except SeclatchError as error:
                assert status != 0, error
                assert "file exists" in log.lower()  # EEXIST, as in the compiler's message
                return
            assert status == 0, log
            pid = int((container.tmp / "pid").read_text())
            wait_for_filter(pid)
            assert read_filters(pid) == [program.code]
        finally:
            container.delete()


REFUSED = {
    "errno-with-allow": (
        Runtime.CRUN,
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [rule("read", "SCMP_ACT_ALLOW", errnoRet=1)],
        },
        "errno",
    ),
    "default-errno-with-allow": (
        Runtime.CRUN,
        {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1},
        "errno",
    ),
    "notify-write": (
        Runtime.RUNC,
        {
            "defaultAction": "SCMP_ACT_ALLOW",
            "listenerPath": "/nowhere",
            "syscalls": [rule("write", "SCMP_ACT_NOTIFY")],
        },
        "SCMP_ACT_NOTIFY cannot be used for the write syscall",
    ),
    **{
        f"runc-{name}": (
            Runtime.RUNC,
            {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [f"SCMP_ARCH_{name}"]},
            f"SCMP_ARCH_{name} is not a valid arch",
        )
        for name in ("M68K", "PARISC", "PARISC64", "SH", "SHEB")
    },
    "errno-too-big": (
        Runtime.RUNC,
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("bpf", errnoRet=4095)]},
        "error",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_runtimes_and_compiler_refuse_the_same(name: str, tmp_path: Path) -> None:
    runtime, seccomp, message = REFUSED[name]
    with pytest.raises(SeclatchError):
        compile_profile(parse_profile(json.dumps(seccomp), name), runtime=runtime)
    container = Container(runtime.value, tmp_path, seccomp)
    try:
        status, log = container.start()
    finally:
        container.delete()
    assert status != 0
    assert message in log


def test_architectures_of_runc_features() -> None:
    """The compiler refuses exactly those architectures that `runc features` does not list."""
    result = subprocess.run(["runc", "features"], capture_output=True, check=True).stdout
    known = set(json.loads(result)["linux"]["seccomp"]["archs"])
    missing = {arch for arch in Arch if arch.scmp not in known}
    assert missing == RUNC_UNKNOWN


def test_a_process_without_filter_has_none() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            assert read_filters(process.pid) == []
        finally:
            process.kill()
