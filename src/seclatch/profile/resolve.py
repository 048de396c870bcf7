"""Resolve a profile as an engine does, for one host and one container: to OCI's `linux.seccomp`.

Sources: Moby's and containers-common's `seccomp_linux.go`, and the tests that ask the real
engines.
"""

from __future__ import annotations

import enum
from typing import Any

from seclatch.errors import SeclatchError
from seclatch.model import errno
from seclatch.model.arch import Arch
from seclatch.model.profile import Condition, Profile, Rule

# What `arches` in a condition and the keys of archMap are compared with. Both engines call the
# architectures by names of libseccomp's Go binding, where those differ from GOARCH.
_SPELLED = {
    Arch.X86: "x86",
    Arch.MIPS64N32: "mips64n32",
    Arch.MIPSEL: "mipsel",
    Arch.MIPSEL64: "mipsel64",
    Arch.MIPSEL64N32: "mipsel64n32",
    Arch.X32: "x32",
}

# The architectures for which the engine looks into archMap at all.
_DOCKER_MAPPED = {
    Arch.X86, Arch.X86_64, Arch.ARM, Arch.AARCH64, Arch.MIPS64, Arch.MIPS64N32, Arch.MIPSEL,
    Arch.MIPSEL64, Arch.MIPSEL64N32, Arch.PPC, Arch.PPC64, Arch.PPC64LE, Arch.RISCV64, Arch.S390,
    Arch.S390X,
}  # fmt: skip
_PODMAN_MAPPED = {
    Arch.X86_64, Arch.AARCH64, Arch.MIPS64, Arch.MIPS64N32, Arch.MIPSEL64, Arch.MIPSEL64N32,
    Arch.S390X,
}  # fmt: skip


class Engine(enum.Enum):
    """Whose reading: they differ in `minKernel` and in errno names."""

    DOCKER = "docker"
    PODMAN = "podman"


def resolve(
    profile: Profile,
    *,
    arch: Arch,
    caps: frozenset[str],
    kernel: tuple[int, int],
    engine: Engine = Engine.DOCKER,
) -> dict[str, Any] | None:
    """The OCI `linux.seccomp` value that `engine` writes into config.json.

    `arch` is the host's, `caps` the container's bounding set (`CAP_SYS_ADMIN`, …), `kernel` the
    host's version. None for the empty profile: the container then runs without seccomp.
    """
    if not profile.default_action:
        return None
    host = _Host(engine, arch, caps, kernel)
    rules = [_rule(rule, host) for rule in profile.rules if host.keeps(rule)]
    value = {
        "defaultAction": profile.default_action,
        "defaultErrnoRet": host.errno(profile.default_errno, profile.default_errno_name),
        "architectures": [each.scmp for each in _architectures(profile, host)],
        "flags": list(profile.flags or ()),
        "listenerPath": profile.listener_path,
        "listenerMetadata": profile.listener_metadata,
        "syscalls": [rule for rule in rules if rule["names"] or engine is Engine.DOCKER],
    }
    return {key: item for key, item in value.items() if item not in (None, [], "")}


class _Host:
    """One engine's view of one container on one host."""

    def __init__(
        self, engine: Engine, arch: Arch, caps: frozenset[str], kernel: tuple[int, int]
    ) -> None:
        self.engine = engine
        self.arch = arch
        self.caps = caps
        self.kernel = kernel
        self.spelled = _SPELLED.get(arch, arch.goarch or arch.title)

    def keeps(self, rule: Rule) -> bool:
        """Is the rule in force? Any match of `excludes` drops it, `includes` must all match."""
        return not self._excluded(rule.excludes) and self._included(rule.includes)

    def _excluded(self, condition: Condition) -> bool:
        return (
            self.spelled in condition.arches
            or not self.caps.isdisjoint(condition.caps)
            or (condition.min_kernel is not None and self._new_enough(condition, False))
        )

    def _included(self, condition: Condition) -> bool:
        return (
            (not condition.arches or self.spelled in condition.arches)
            and self.caps.issuperset(condition.caps)
            and (condition.min_kernel is None or self._new_enough(condition, True))
        )

    def _new_enough(self, condition: Condition, unread: bool) -> bool:
        """Podman does not read minKernel: for it such a condition is as if not written."""
        if self.engine is Engine.PODMAN or condition.min_kernel is None:
            return unread
        return self.kernel >= condition.min_kernel

    def errno(self, value: int | None, name: str) -> int | None:
        """The number of an errnoRet; Podman prefers containers-common's `errno`."""
        if self.engine is Engine.DOCKER or not name:
            return value
        try:
            return errno.parse(name)
        except ValueError as error:
            raise SeclatchError(
                f"resolving the profile for podman: {error}",
                remedy="use a name of errno(3) or a number",
                status=2,
            ) from error

    @property
    def mapped(self) -> bool:
        """Does the engine look into archMap on this architecture?"""
        known = _PODMAN_MAPPED if self.engine is Engine.PODMAN else _DOCKER_MAPPED
        return self.arch in known


def _architectures(profile: Profile, host: _Host) -> tuple[Arch, ...]:
    if profile.arch_map and host.mapped:
        for arch, further in profile.arch_map:
            if arch is host.arch:
                return (arch, *further)
    return profile.architectures


def _rule(rule: Rule, host: _Host) -> dict[str, Any]:
    """One entry of `syscalls`, in the shape in which Go writes it: empty fields left out."""
    value: dict[str, Any] = {"names": list(rule.names), "action": rule.action}
    number = host.errno(rule.errno, rule.errno_name)
    if number is not None:
        value["errnoRet"] = number
    if rule.args:
        value["args"] = [
            {"index": arg.index, "value": arg.value}
            | ({"valueTwo": arg.value_two} if arg.value_two else {})
            | {"op": arg.operator.scmp}
            for arg in rule.args
        ]
    return value
