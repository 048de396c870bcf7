"""Find what a container of a given configuration can change or reach outside of itself.

A command is run again without being asked only where this finds nothing. What is not known here
counts as an effect: an unknown key, mount type, device or capability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from seclatch.diagnose.confirm.client_command.refused_options import ENGINES
from seclatch.diagnose.confirm.effects.mount_effects import MountCheck
from seclatch.diagnose.confirm.effects.oci_values import get_list, get_object
from seclatch.diagnose.confirm.effects.other_programs import find_other_programs

_OWN_NAMESPACES = ("pid", "network", "ipc", "uts", "mount")
_TOP_TEXT = "ociVersion process root hostname domainname mounts hooks annotations linux"
_TOP_KEYS = frozenset(_TOP_TEXT.split())
_LINUX_TEXT = """
    namespaces maskedPaths readonlyPaths resources seccomp sysctl devices cgroupsPath uidMappings
    gidMappings rootfsPropagation mountLabel personality
"""
_LINUX_KEYS = frozenset(_LINUX_TEXT.split())
# Docker's default, and what acts on the container's own namespaces and processes only.
_OWN_CAPABILITIES_TEXT = """
    CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT
    MKNOD AUDIT_WRITE SETFCAP NET_ADMIN NET_BROADCAST IPC_LOCK IPC_OWNER SYS_NICE SYS_PTRACE
"""
_OWN_CAPABILITIES = frozenset(f"CAP_{name}" for name in _OWN_CAPABILITIES_TEXT.split())
# Writable by the user 0 of the initial user namespace, with or without capabilities (proc(5)): what
# runtimes and engines close by themselves.
_KERNEL_FILES_TEXT = "sys sysrq-trigger acpi bus fs irq scsi"
_KERNEL_FILES = tuple(f"/proc/{name}" for name in _KERNEL_FILES_TEXT.split())
_OWN_SYSCTLS = ("net.", "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
_DEVICES = {
    "/dev/null": (1, 3),
    "/dev/zero": (1, 5),
    "/dev/full": (1, 7),
    "/dev/random": (1, 8),
    "/dev/urandom": (1, 9),
    "/dev/tty": (5, 0),
    "/dev/console": (5, 1),
    "/dev/ptmx": (5, 2),
}
# These, any pts, and tun, which is of a network namespace: what runc and dockerd allow by
# themselves.
_DEVICE_NUMBERS = frozenset({*_DEVICES.values(), (136, None), (10, 200)})


def find_effect(config: Mapping[str, Any], mounts: MountCheck, client: str) -> str:
    """Return what a container of this configuration can change or reach outside; "" if nothing.

    `client` started it. Further ones of an engine get a network namespace with nothing but
    loopback; those of a bundle get no CAP_MKNOD that no control group confines.
    """
    offline, makes_devices = client in ENGINES, client not in ("runc", "crun")
    checks: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _find_unknown_keys(config),
        lambda: _find_shared_namespaces(config, offline),
        lambda: mounts.find_effects(config),
        lambda: _find_devices(config, makes_devices),
        lambda: _find_kernel_access(config),
        lambda: find_other_programs(config, client),
    )
    return next((reason for check in checks for reason in check()), "")


def _find_unknown_keys(config: Mapping[str, Any]) -> Iterator[str]:
    linux = get_object(config, "linux")
    unknown = [*(config.keys() - _TOP_KEYS), *(linux.keys() - _LINUX_KEYS)]
    if unknown:
        yield f"its configuration has {min(unknown)}, whose effect is not known"
    if str(linux.get("rootfsPropagation", "")) in ("shared", "rshared"):
        yield "what it mounts appears on this host (rootfsPropagation)"


def _find_shared_namespaces(config: Mapping[str, Any], offline: bool) -> Iterator[str]:
    own = {
        str(each.get("type")): each.get("path")
        for each in get_list(get_object(config, "linux"), "namespaces")
    }
    for kind in _OWN_NAMESPACES:
        if kind not in own:
            yield f"it shares the host's {kind} namespace"
    for kind, path in own.items():
        if path and not (offline and kind == "network"):
            yield f"it shares a {kind} namespace with others ({path})"


def has_own_users(config: Mapping[str, Any]) -> bool:
    """Return whether the container has a user namespace of its own, without the host's root.

    Root of the host that is mapped into it writes to the host's kernel files as outside of it.
    """
    linux = get_object(config, "linux")
    kinds = [each.get("type") for each in get_list(linux, "namespaces")]
    hosts = [
        each.get("hostID")
        for kind in ("uidMappings", "gidMappings")
        for each in get_list(linux, kind)
    ]
    return "user" in kinds and bool(hosts) and all(type(host) is int and host > 0 for host in hosts)


def controls_devices(config: Mapping[str, Any]) -> bool:
    """Return whether the configuration denies access to devices, before it allows some."""
    rules = get_list(get_object(get_object(config, "linux"), "resources"), "devices")
    return bool(rules) and _denies_all(rules[0])


def _denies_all(rule: Mapping[str, Any]) -> bool:
    everything = rule.get("type", "a") in ("a", "") and not {"major", "minor"} & rule.keys()
    return not rule.get("allow") and everything and set("rwm") <= set(str(rule.get("access", "")))


def _find_devices(config: Mapping[str, Any], makes_devices: bool) -> Iterator[str]:
    linux = get_object(config, "linux")
    for device in get_list(linux, "devices"):
        # Whatever its name, it is what its numbers say.
        numbers = device.get("type"), device.get("major"), device.get("minor")
        if numbers != ("c", *_DEVICES.get(str(device.get("path")), ())):
            yield f"it has a device ({device.get('path')})"
    for rule in get_list(get_object(linux, "resources"), "devices"):
        opens = {*"rw"} & {*str(rule.get("access", ""))}
        major, minor = (rule.get(key) for key in ("major", "minor"))
        known = any(pair in ((major, minor), (major, None)) for pair in _DEVICE_NUMBERS)
        if rule.get("allow") and opens and not (rule.get("type") == "c" and known):
            yield "it may open devices (resources.devices)"
    if makes_devices and "CAP_MKNOD" in _list_capabilities(config) and not controls_devices(config):
        yield "it may make devices (CAP_MKNOD), which no control group denies it"


def _list_capabilities(config: Mapping[str, Any]) -> set[str]:
    sets = get_object(get_object(config, "process"), "capabilities")
    return {str(name) for kind in sets for name in get_list(sets, kind, str)}


def _find_kernel_access(config: Mapping[str, Any]) -> Iterator[str]:
    linux = get_object(config, "linux")
    for name in get_object(linux, "sysctl"):
        if not name.startswith(_OWN_SYSCTLS):
            yield f"it sets a sysctl ({name})"
    # Also in a user namespace: with CAP_SYS_ADMIN of its own it may remount what is read-only.
    if more := _list_capabilities(config) - _OWN_CAPABILITIES:
        yield f"it has {min(more)}, with which it may change this host"
    if has_own_users(config):
        return
    closed = {*get_list(linux, "readonlyPaths", str), *get_list(linux, "maskedPaths", str)}
    for path in _KERNEL_FILES:
        if path not in closed:
            yield f"it may write to {path}"
