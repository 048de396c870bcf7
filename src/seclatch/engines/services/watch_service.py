"""The systemd service that keeps `seclatch watch` running, with the least privileges that work.

What each setting is for is said in the unit itself; docs/watch.md lists the capabilities.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import seclatch
from seclatch.engines.installation.file_change import ChangeStep
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.services.systemd_unit import SystemdUnit, quote_word
from seclatch.errors import SeclatchError

NAME = "seclatch-watch.service"
LOG = "/var/log/seclatch/denials.json"

_CACHE = "/var/cache/seclatch"
_PRIVATE = ("/tmp", "/var/tmp")  # noqa: S108 (what the service has privately)

TEMPLATE = """\
# Written by `seclatch install watch`; `seclatch uninstall watch` removes it.
[Unit]
Description=Log what seccomp filters deny
Documentation=man:seclatch-watch(1)
After=local-fs.target

[Service]
Type=exec
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=5

# BPF, PERFMON: the kernel programs. SYS_PTRACE: executables and control groups of other users'
# processes. DAC_READ_SEARCH: containers' configurations. AUDIT_READ: audit lines, where the kernel
# takes no programs. Root's uid, for the engines' sockets.
CapabilityBoundingSet=CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_AUDIT_READ
NoNewPrivileges=yes
LogsDirectory=seclatch
LogsDirectoryMode=0700
CacheDirectory=seclatch
Environment=XDG_CACHE_HOME=/var/cache
UMask=0077
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies={families}
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service bpf
SystemCallErrorNumber=EPERM
MemoryMax=512M
TasksMax=32

[Install]
WantedBy=multi-user.target
"""

_SERVICE = SystemdUnit(
    NAME,
    "the service that watches denials",
    TEMPLATE.partition("\n")[0],
    "seclatch install watch",
)
UNIT, LINK = _SERVICE.path, _SERVICE.link


@dataclass(frozen=True)
class ServicePlan:
    """Steps in the order of their execution; none means that nothing is left to do."""

    steps: list[ChangeStep] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def plan_service(root: HostRoot, options: Sequence[str]) -> ServicePlan:
    """Plan to write, enable and start the service; `options` are further ones of `watch`."""
    if root.is_host:
        for path in _list_executed():
            refuse_temporary(path, "install seclatch in another place, such as by pipx for root")
            refuse_replaceable(path)
    steps = _SERVICE.place(root, make_unit(options))
    _require_directories(root.resolve(UNIT), root.prefix / LINK.lstrip("/"))
    notes = [f"denials are logged to {LOG}", f"systemctl status {NAME} shows whether it runs"]
    return ServicePlan(steps, notes if steps else [])


def plan_service_removal(root: HostRoot) -> ServicePlan:
    """Plan to stop and remove the service; the log is kept, and the cache, which others may use."""
    steps = _SERVICE.remove(root)
    log, cache = root.resolve(LOG).parent, root.resolve(_CACHE)
    notes = [f"the log is kept: {log}"] if log.exists() else []
    notes += [f"the cache is kept: {cache} (rm -r removes it)"] if cache.exists() else []
    return ServicePlan(steps, notes if steps else [])


def make_unit(options: Sequence[str]) -> str:
    """Return the unit's text. Raise SeclatchError for what systemd would read otherwise."""
    words = [sys.executable, "-I", "-m", "seclatch", "watch", "--quiet", "-o", LOG, *options]
    families = "AF_UNIX AF_NETLINK"
    if any(word.startswith("--metrics") for word in options):
        families += " AF_INET AF_INET6"
    return TEMPLATE.format(command=" ".join(map(quote_word, words)), families=families)


def refuse_replaceable(path: Path) -> None:
    """Refuse a program that others than root can replace: the service runs it as root."""
    for part in (path, *path.parents):
        status = part.stat()
        shared = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
        if shared or status.st_uid not in (0, os.geteuid()):
            raise SeclatchError(
                f"writing the service: {part} can be changed by others than root, and the service "
                f"runs {path} as root",
                remedy=f"chown root:root {part} && chmod o-w {part}, or install seclatch as root "
                "in another place, such as /opt/seclatch",
            )


def refuse_temporary(file: Path, remedy: str = "") -> None:
    """Refuse a file that the service does not see: by PrivateTmp it has directories of its own."""
    real = file.resolve()
    if any(real.is_relative_to(folder) for folder in _PRIVATE):
        raise SeclatchError(
            f"writing the service: it does not see {real}: it has a /tmp and /var/tmp of its own",
            remedy=remedy
            or f"install -D -m 644 {shlex.quote(str(real))} "
            f"{shlex.quote(f'/etc/seclatch/{real.name}')}, and give that path",
            status=2,
        )


def _list_executed() -> list[Path]:
    """List what the service executes: the interpreter, and this package."""
    python = Path(sys.executable)
    return [python.absolute(), python.resolve(), Path(seclatch.__file__).resolve()]


def _require_directories(*paths: Path) -> None:
    for path in paths:
        if not path.parent.is_dir():
            raise SeclatchError(
                f"writing {path}: there is no {path.parent}: this host does not run systemd",
                remedy="start `seclatch watch` by the service manager of this host",
            )
