"""Conditions, archMap and errno, by engine; tests/engines compares with the engines."""

import json
from typing import Any

import pytest

from seclatch.model.arch import Arch
from seclatch.profile.compile.resolve_profile import Engine, resolve_profile
from seclatch.profile.parse.load_profile import parse_profile


def resolved(
    document: dict[str, Any],
    *,
    arch: Arch = Arch.X86_64,
    caps: tuple[str, ...] = (),
    kernel: tuple[int, int] = (6, 12),
    engine: Engine = Engine.DOCKER,
) -> dict[str, Any]:
    profile = parse_profile(json.dumps({"defaultAction": "SCMP_ACT_ERRNO"} | document), "test")
    value = resolve_profile(profile, arch=arch, caps=frozenset(caps), kernel=kernel, engine=engine)
    assert value is not None
    return value


def rule(**conditions: Any) -> dict[str, Any]:
    return {"syscalls": [{"names": ["bpf"], "action": "SCMP_ACT_ALLOW"} | conditions]}


@pytest.mark.parametrize(
    ("conditions", "host", "kept"),
    [
        ({}, {}, True),
        ({"includes": {"caps": ["CAP_BPF"]}}, {}, False),
        ({"includes": {"caps": ["CAP_BPF"]}}, {"caps": ("CAP_BPF", "CAP_CHOWN")}, True),
        ({"includes": {"caps": ["CAP_BPF", "CAP_PERFMON"]}}, {"caps": ("CAP_BPF",)}, False),
        ({"excludes": {"caps": ["CAP_BPF", "CAP_PERFMON"]}}, {"caps": ("CAP_BPF",)}, False),
        ({"excludes": {"caps": ["CAP_BPF"]}}, {}, True),
        ({"includes": {"arches": ["amd64", "x32"]}}, {}, True),
        ({"includes": {"arches": ["amd64"]}}, {"arch": Arch.AARCH64}, False),
        ({"excludes": {"arches": ["s390x"]}}, {"arch": Arch.S390X}, False),
        ({"includes": {"minKernel": "4.8"}}, {"kernel": (4, 7)}, False),
        ({"includes": {"minKernel": "4.8"}}, {"kernel": (4, 8)}, True),
        ({"includes": {"minKernel": "4.8"}}, {"kernel": (5, 0)}, True),
        ({"excludes": {"minKernel": "4.8"}}, {"kernel": (5, 0)}, False),
        ({"excludes": {"minKernel": "4.8"}}, {"kernel": (4, 7)}, True),
        ({"includes": {"minKernel": "9.0"}}, {"engine": Engine.PODMAN}, True),
        ({"excludes": {"minKernel": "4.8"}}, {"engine": Engine.PODMAN}, True),
    ],
)
def test_conditions(conditions: dict[str, Any], host: dict[str, Any], kept: bool) -> None:
    assert ("syscalls" in resolved(rule(**conditions), **host)) is kept


ARCH_MAP = {
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_PPC64LE", "subArchitectures": None},
    ]
}


def test_arch_map() -> None:
    assert resolved(ARCH_MAP)["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    assert resolved(ARCH_MAP, arch=Arch.PPC64LE)["architectures"] == ["SCMP_ARCH_PPC64LE"]
    assert "architectures" not in resolved(ARCH_MAP, arch=Arch.AARCH64)
    assert "architectures" not in resolved(ARCH_MAP, arch=Arch.PPC64LE, engine=Engine.PODMAN)


def test_the_whole_shape() -> None:
    document = {
        "flags": [],
        "defaultErrnoRet": 38,
        "listenerPath": "/run/x",
        "syscalls": [
            {
                "name": "socket",
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 0,
                "comment": "gone",
                "args": [
                    {"index": 1, "value": 0, "op": "SCMP_CMP_NE"},
                    {"index": 2, "value": 7, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"},
                ],
            }
        ],
    }
    assert resolved(document) == {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "listenerPath": "/run/x",
        "syscalls": [
            {
                "names": ["socket"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 0,
                "args": [
                    {"index": 1, "value": 0, "op": "SCMP_CMP_NE"},
                    {"index": 2, "value": 7, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"},
                ],
            }
        ],
    }


def test_errno_names_equal_podman_s() -> None:
    document = {"defaultErrno": "ENOSYS", "defaultErrnoRet": 1}
    assert resolved(document)["defaultErrnoRet"] == 1
    assert resolved(document, engine=Engine.PODMAN)["defaultErrnoRet"] == 38


def test_empty_profile_means_no_seccomp() -> None:
    profile = parse_profile("{}", "test")
    assert resolve_profile(profile, arch=Arch.X86_64, caps=frozenset(), kernel=(6, 1)) is None
