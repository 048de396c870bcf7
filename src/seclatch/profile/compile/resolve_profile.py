"""Resolve a profile as an engine does, for one host and one container: to OCI's `linux.seccomp`.

Sources: Moby's and containers-common's `seccomp_linux.go`, and the tests that ask the real
engines.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from seclatch.model import errno
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Condition, Profile, Rule
from seclatch.profile.export import oci

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
    Arch.X86,
    Arch.X86_64,
    Arch.ARM,
    Arch.AARCH64,
    Arch.MIPS64,
    Arch.MIPS64N32,
    Arch.MIPSEL,
    Arch.MIPSEL64,
    Arch.MIPSEL64N32,
    Arch.PPC,
    Arch.PPC64,
    Arch.PPC64LE,
    Arch.RISCV64,
    Arch.S390,
    Arch.S390X,
}
_PODMAN_MAPPED = {
    Arch.X86_64,
    Arch.AARCH64,
    Arch.MIPS64,
    Arch.MIPS64N32,
    Arch.MIPSEL64,
    Arch.MIPSEL64N32,
    Arch.S390X,
}


class Engine(enum.Enum):
    """The engine that resolves a profile: they read `minKernel` and errno names differently."""

    DOCKER = "docker"
    PODMAN = "podman"


_NAMES = "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID "
_COMMON = frozenset(f"CAP_{name}" for name in f"{_NAMES} SYS_CHROOT".split())
DEFAULT_CAPS = {
    Engine.DOCKER: _COMMON | {"CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_NET_RAW"},
    Engine.PODMAN: _COMMON,
}
"""The capabilities that the engines give a container by default."""


@dataclass(frozen=True, slots=True)
class Host:
    """One engine's view of one container on one host: what conditions are asked about.

    `arch` is the host's, `caps` the container's bounding set (`CAP_SYS_ADMIN`, …), `kernel` the
    host's version.
    """

    arch: Arch
    caps: frozenset[str] = frozenset()
    kernel: tuple[int, int] = (0, 0)
    engine: Engine = Engine.DOCKER

    @property
    def spelled(self) -> str:
        """What the engine calls the architecture."""
        return _SPELLED.get(self.arch, self.arch.goarch or self.arch.title)

    def keeps(self, rule: Rule) -> bool:
        """Is the rule in force? Any match of `excludes` drops it, `includes` must all match."""
        return not self._excluded(rule.excludes) and self._included(rule.includes)

    def _excluded(self, condition: Condition) -> bool:
        return (
            self.spelled in condition.arches
            or not self.caps.isdisjoint(condition.caps)
            or self._new_enough(condition, unread=False)
        )

    def _included(self, condition: Condition) -> bool:
        return (
            (not condition.arches or self.spelled in condition.arches)
            and self.caps.issuperset(condition.caps)
            and self._new_enough(condition, unread=True)
        )

    def _new_enough(self, condition: Condition, *, unread: bool) -> bool:
        """Podman does not read minKernel: for it such a condition is as if not written."""
        if self.engine is Engine.PODMAN or condition.min_kernel is None:
            return unread
        return self.kernel >= condition.min_kernel

    def errno(self, value: int | None, name: str) -> int | None:
        """Return the number of an errnoRet; Podman prefers containers-common's `errno`."""
        if self.engine is Engine.DOCKER or not name:
            return value
        return errno.parse_errno(name)

    def architectures(self, profile: Profile) -> tuple[Arch, ...]:
        """Return the profile's ABIs, from archMap where the engine looks into it."""
        mapped = _PODMAN_MAPPED if self.engine is Engine.PODMAN else _DOCKER_MAPPED
        for arch, further in profile.arch_map if self.arch in mapped else ():
            if arch is self.arch:
                return (arch, *further)
        return profile.architectures


def resolve_profile(
    profile: Profile,
    *,
    arch: Arch,
    caps: frozenset[str],
    kernel: tuple[int, int],
    engine: Engine = Engine.DOCKER,
) -> dict[str, Any] | None:
    """Return the OCI `linux.seccomp` value that `engine` writes into config.json; see `Host`.

    None for the empty profile: the container then runs without seccomp.
    """
    if not profile.default_action:
        return None
    return oci.make_document(narrow_profile(profile, Host(arch, caps, kernel, engine)))


def list_kept_rules(profile: Profile, host: Host) -> list[int]:
    """Return the numbers of the rules in force. Podman leaves out those that name no call."""
    return [
        index
        for index, rule in enumerate(profile.rules)
        if host.keeps(rule) and (rule.names or host.engine is Engine.DOCKER)
    ]


def narrow_profile(profile: Profile, host: Host) -> Profile:
    """Return the profile as it is in force on `host`: no conditions, no archMap, errno in numbers.

    Comments go too, as with the engines.
    """
    rules = (
        Rule(rule.names, rule.action, host.errno(rule.errno, rule.errno_name), rule.args)
        for rule in map(profile.rules.__getitem__, list_kept_rules(profile, host))
    )
    return Profile(
        default_action=profile.default_action,
        default_errno=host.errno(profile.default_errno, profile.default_errno_name),
        rules=tuple(rules),
        architectures=host.architectures(profile),
        flags=profile.flags,
        listener_path=profile.listener_path,
        listener_metadata=profile.listener_metadata,
    )
