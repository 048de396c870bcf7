"""Make the OCI runtime configuration (config.json) of one container, as a pure value.

What is not requested is as in `docker run`: mounts, masked and read-only paths, devices,
namespaces, capabilities, environment. Sources: OCI runtime-spec 1.0.2, and the configuration that
Docker passes to its runtime.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from seclatch.runtime.bind_volume import BindVolume
from seclatch.runtime.container_user import UserIdentity

Config = dict[str, Any]

# Where the bundle keeps the container's root, relative to config.json.
ROOT = "rootfs"

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
_READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def _mount(destination: str, kind: str, source: str, *options: str) -> Config:
    return {
        "destination": destination,
        "type": kind,
        "source": source,
        "options": list(options),
    }


_NO_PROGRAMS = ("nosuid", "noexec", "nodev")
_MOUNTS = (
    _mount("/proc", "proc", "proc", *_NO_PROGRAMS),
    _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    _mount(
        "/dev/pts",
        "devpts",
        "devpts",
        *("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    ),
    _mount("/sys", "sysfs", "sysfs", *_NO_PROGRAMS, "ro"),
    _mount("/sys/fs/cgroup", "cgroup", "cgroup", *_NO_PROGRAMS, "ro"),
    _mount("/dev/mqueue", "mqueue", "mqueue", *_NO_PROGRAMS),
    _mount("/dev/shm", "tmpfs", "shm", *_NO_PROGRAMS, "mode=1777", "size=67108864"),  # noqa: S108
)


class BundleOptions(NamedTuple):
    """One container, with everything resolved: nothing is looked up on the host any more.

    `env` holds `NAME=value` and wins over the defaults. `size` is the terminal's (columns, lines),
    None without a terminal. `unified`: the container's cgroups are version 2. `seccomp` is the OCI
    `linux.seccomp` value, None for no filter. `device_control` is False where there is no device
    cgroup; `sysctls` are set in the container's own network namespace only.
    """

    args: tuple[str, ...]
    hostname: str
    identity: UserIdentity
    capabilities: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    terminal: bool = False
    size: tuple[int, int] | None = None
    no_new_privileges: bool = False
    read_only: bool = False
    host_network: bool = False
    volumes: tuple[BindVolume, ...] = ()
    seccomp: Config | None = None
    unified: bool = True
    device_control: bool = True
    sysctls: tuple[tuple[str, str], ...] = ()


def make_config(options: BundleOptions) -> Config:
    """Make config.json for the container described by `options`."""
    return {
        "ociVersion": "1.0.2",
        "process": _process(options),
        "root": {"path": ROOT, "readonly": options.read_only},
        "hostname": options.hostname,
        "mounts": [*_MOUNTS, *map(_volume, options.volumes)],
        "linux": _linux(options),
    }


def _process(options: BundleOptions) -> Config:
    identity = options.identity
    process: Config = {
        "terminal": options.terminal,
        "user": {
            "uid": identity.uid,
            "gid": identity.gid,
            "additionalGids": list(identity.groups),
        },
        "args": list(options.args),
        "env": _environment(options),
        "cwd": options.cwd,
        "capabilities": _capabilities(options),
        "noNewPrivileges": options.no_new_privileges,
    }
    if options.size is not None:
        columns, lines = options.size
        process["consoleSize"] = {"width": columns, "height": lines}
    return process


def _environment(options: BundleOptions) -> list[str]:
    defaults = {"PATH": _PATH, "HOSTNAME": options.hostname}
    if options.terminal:
        defaults["TERM"] = "xterm"
    given = dict(entry.split("=", 1) for entry in options.env)
    return [
        f"{name}={value}"
        for name, value in ({**defaults, "HOME": options.identity.home} | given).items()
    ]


def _capabilities(options: BundleOptions) -> Config:
    """Give root its capabilities; another user gets only the bounding set, for setuid programs.

    That is what execve(2) makes of them anyway. Inheritable stays empty (CVE-2022-24769).
    """
    names = list(options.capabilities)
    held = names if options.identity.uid == 0 else []
    return {
        "bounding": names,
        "effective": held,
        "permitted": held,
        "inheritable": [],
        "ambient": [],
    }


def _volume(volume: BindVolume) -> Config:
    # rro: `ro` alone would leave what is mounted below SRC writable (mount_setattr(2), Linux 5.12).
    mode = "rro" if volume.read_only else "rw"
    return _mount(volume.destination, "bind", volume.source, "rbind", mode, "rprivate")


def _linux(options: BundleOptions) -> Config:
    linux: Config = {
        "namespaces": [{"type": kind} for kind in _namespaces(options)],
        "maskedPaths": list(_MASKED_PATHS),
        "readonlyPaths": list(_READ_ONLY_PATHS),
        "resources": {},
    }
    if options.device_control:
        # The runtimes themselves add null, zero, full, random, urandom, tty, console and ptmx.
        linux["resources"]["devices"] = [{"allow": False, "access": "rwm"}]
    if options.sysctls and not options.host_network:
        linux["sysctl"] = dict(options.sysctls)
    if options.seccomp is not None:
        linux["seccomp"] = options.seccomp
    return linux


def _namespaces(options: BundleOptions) -> list[str]:
    """List Docker's private namespaces: the cgroup namespace comes with version 2 only."""
    kinds = ["pid", "ipc", "uts", "mount"]
    if not options.host_network:
        kinds.append("network")
    if options.unified:
        kinds.append("cgroup")
    return kinds
