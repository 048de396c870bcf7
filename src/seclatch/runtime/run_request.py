"""The options of `seclatch run`, and their resolution on this host to a bundle's options."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from seclatch.errors import InputError, SeclatchError
from seclatch.model.capability import name_capabilities
from seclatch.runtime import bind_volume, caller_terminal, capability_set
from seclatch.runtime import container_rootfs as rootfs
from seclatch.runtime.cgroup_support import CgroupChoice
from seclatch.runtime.container_user import UserIdentity, resolve_user
from seclatch.runtime.oci_bundle import BundleOptions, Config
from seclatch.runtime.run_privilege import read_bounding_set

# Docker sets these in a container's own network namespace, where the kernel has them.
_SYSCTLS = (
    ("net.ipv4.ip_unprivileged_port_start", "0"),
    ("net.ipv4.ping_group_range", "0 2147483647"),
)
# With the host's network a container needs the host's names too.
_HOST_NAMES = ("/etc/hosts", "/etc/resolv.conf")


class RunRequest(NamedTuple):
    """The command line of `seclatch run`; `rootfs` is a directory, `runtime` runc or crun."""

    args: tuple[str, ...]
    rootfs: Path
    profile: Path | None = None
    runtime: str = "runc"
    plain: bool = False
    name: str | None = None
    user: str = ""
    env: tuple[str, ...] = ()
    workdir: str = "/"
    hostname: str | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    read_only: bool = False
    host_network: bool = False
    no_new_privileges: bool = False
    tty: bool | None = None


def resolve_request(request: RunRequest, cgroups: CgroupChoice) -> BundleOptions:
    """Resolve what `request` leaves open: on this host, in the root directory and in the profile.

    Raises InputError for invalid values, SeclatchError when something cannot be read.
    """
    if not request.workdir.startswith("/"):
        raise InputError("--workdir", request.workdir, "must be an absolute path")
    tty = caller_terminal.wants_terminal(request.tty)
    capabilities = _capabilities(request, cgroups)
    return BundleOptions(
        args=request.args,
        hostname=_hostname(request.hostname),
        identity=_identity(request),
        capabilities=capabilities,
        env=_environment(request.env),
        cwd=request.workdir,
        terminal=tty,
        size=caller_terminal.read_terminal_size() if tty else None,
        no_new_privileges=request.no_new_privileges,
        read_only=request.read_only,
        host_network=request.host_network,
        volumes=_volumes(request),
        seccomp=_seccomp(request.profile, capabilities),
        unified=cgroups.unified,
        device_control=cgroups.device_control,
        sysctls=_sysctls(),
    )


def _capabilities(request: RunRequest, cgroups: CgroupChoice) -> tuple[str, ...]:
    """Drop CAP_MKNOD where no cgroup controls devices: it would open the host's disks."""
    drop = request.cap_drop if cgroups.device_control else (*request.cap_drop, "MKNOD")
    return capability_set.grant_capabilities(
        request.cap_add, drop, name_capabilities(read_bounding_set())
    )


def _hostname(text: str | None) -> str:
    if text is None:
        return os.urandom(6).hex()  # as Docker: looks like a container's short id
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}", text):  # HOST_NAME_MAX
        raise InputError("--hostname", text, "not a host name of at most 64 characters")
    return text


def _identity(request: RunRequest) -> UserIdentity:
    passwd = rootfs.read_rootfs_text(request.rootfs, "/etc/passwd")
    return resolve_user(request.user, passwd, rootfs.read_rootfs_text(request.rootfs, "/etc/group"))


def _environment(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Pass `NAME=value` on; a bare `NAME` takes this process's value, if it has one."""
    passed = []
    for entry in entries:
        name, equals, _ = entry.partition("=")
        if not name:
            raise InputError("--env", entry, "not of the form NAME=value or NAME")
        if equals:
            passed.append(entry)
        elif name in os.environ:
            passed.append(f"{name}={os.environ[name]}")
    return tuple(passed)


def _volumes(request: RunRequest) -> tuple[bind_volume.BindVolume, ...]:
    given = tuple(bind_volume.parse_volume(text) for text in request.volumes)
    taken = {volume.destination for volume in given}
    if len(taken) < len(given):
        raise InputError("--volume", "", "two volumes have the same DST")
    names = _HOST_NAMES if request.host_network else ()
    host = [
        bind_volume.BindVolume(p, p, True) for p in names if p not in taken and Path(p).exists()
    ]
    return (*host, *given)


def _seccomp(profile: Path | None, capabilities: tuple[str, ...]) -> Config | None:
    if profile is None:
        return None
    from seclatch.model.arch import Arch
    from seclatch.profile.compile.resolve_profile import resolve_profile
    from seclatch.profile.parse.load_profile import load_profile

    return resolve_profile(
        load_profile(profile), arch=Arch.native(), caps=frozenset(capabilities), kernel=_kernel()
    )


def _kernel() -> tuple[int, int]:
    release = os.uname().release
    version = re.match(r"(\d+)\.(\d+)", release)
    if version is None:
        raise SeclatchError(
            f"cannot read a version in the kernel's release {release!r}",
            remedy="the profile's minKernel conditions need one: report this as a bug",
        )
    return int(version[1]), int(version[2])


def _sysctls() -> tuple[tuple[str, str], ...]:
    place = Path("/proc/sys")
    return tuple(pair for pair in _SYSCTLS if (place / pair[0].replace(".", "/")).exists())
