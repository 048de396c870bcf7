"""The systemd service that keeps the recorder of annotated containers running."""

from __future__ import annotations

from seclatch.engines.installation.file_change import ChangeStep
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.services.systemd_unit import SystemdUnit, is_booted, quote_word
from seclatch.model.recorder_limits import RecorderLimits

NAME = "seclatch-recorder.service"

TEMPLATE = """\
# Written by `seclatch install --record-annotations`; `seclatch uninstall` removes it.
[Unit]
Description=Record the system calls of annotated containers
Documentation=man:seclatch-record(1)
After=local-fs.target
Before=docker.service containerd.service crio.service kubelet.service
# systemd's default ends a service for good after 5 starts in 10 s; what made them fail may pass,
# as a full disk does.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={program}
Restart=always
RestartSec=2s
# To the recorder alone: its children write files, and end with it.
KillMode=mixed
TimeoutStopSec=90
RuntimeDirectory=seclatch
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes

# BPF, PERFMON: the kernel programs. SYS_PTRACE: namespaces and executables of other users'
# processes. DAC_READ_SEARCH: what engines say of images. Root's uid, for the socket and the
# engines'.
CapabilityBoundingSet=CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH
NoNewPrivileges=yes
CacheDirectory=seclatch
Environment=XDG_CACHE_HOME=/var/cache
UMask=0077
ProtectSystem=strict
ReadWritePaths={directory}
ProtectHome=read-only
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service bpf
SystemCallErrorNumber=EPERM
MemoryMax=1G
TasksMax=256

[Install]
WantedBy=multi-user.target
"""

_SERVICE = SystemdUnit(
    NAME, "the service of the recorder", TEMPLATE.partition("\n")[0], "seclatch install"
)
UNIT, LINK = _SERVICE.path, _SERVICE.link


def is_managed(root: HostRoot) -> bool:
    """Return whether systemd starts the recorder on this root's system."""
    return root.resolve(UNIT).parent.is_dir() and (is_booted(root) or not root.is_host)


def make_unit(program: str, limits: RecorderLimits) -> str:
    """Return the unit's text. Raises SeclatchError for a path that systemd would read otherwise."""
    return TEMPLATE.format(program=quote_word(program), directory=quote_word(limits.directory))


def place_service(
    root: HostRoot, program: str, limits: RecorderLimits, *, changed: bool
) -> list[ChangeStep]:
    """Return the steps that write, enable and start the service; none without systemd.

    `changed`: the recorder itself is replaced, so a running one is started anew. It continues the
    recordings of containers that run.
    """
    if not root.resolve(UNIT).parent.is_dir():
        return []
    return _SERVICE.place(root, make_unit(program, limits), restart=changed)


def remove_service(root: HostRoot) -> list[ChangeStep]:
    """Return the steps that stop and remove the service, if it is there."""
    return _SERVICE.remove(root) if root.resolve(UNIT).parent.is_dir() else []
