"""The container of the DaemonSet that records annotated containers, where recordings are wished.

Not part of the agent's container: kubelet starts it again on its own, with limits of its own, and
each has the capabilities of its own work. The host's latch reaches it by a socket in /run/seclatch.
"""

from __future__ import annotations

from typing import Any

RECORDER_CAPABILITIES = ("BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH")
"""Those of the service of `seclatch install`: the kernel programs; namespaces and executables of
others' processes; what engines say of images."""

_DIRECTORIES = {"latch-socket": "/run/seclatch", "latch-state": "/var/lib/seclatch"}


def make_recorder(image: str) -> dict[str, Any]:
    """Return the container."""
    return {
        "name": "recorder",
        "image": image,
        "args": ["record", "serve"],
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": list(RECORDER_CAPABILITIES)},
            # the engines' profile and type forbid to look at processes of other containers
            "appArmorProfile": {"type": "Unconfined"},
            "seLinuxOptions": {"type": "spc_t"},
        },
        "resources": {
            "requests": {"cpu": "10m", "memory": "96Mi"},
            "limits": {"memory": "1Gi"},
        },
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in _DIRECTORIES.items()],
    }


def list_recorder_volumes() -> list[dict[str, Any]]:
    """Return its volumes, directories of the host at the paths that they have there."""
    return [
        {"name": name, "hostPath": {"path": path, "type": "DirectoryOrCreate"}}
        for name, path in _DIRECTORIES.items()
    ]
