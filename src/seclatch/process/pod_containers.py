"""Find a pod's containers in containerd, started or not, with the configuration of their runtime.

containerd keeps a container until the kubelet removes it, also one whose runtime failed to start it
(StartError): then there is no shim and no bundle, but the OCI specification is in its store.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from seclatch.errors import SeclatchError
from seclatch.model.pod import CONTAINERD_KEYS, PodContainer, PodSelector, read_pod
from seclatch.process.containers.container_config import CRI_NAMESPACE
from seclatch.process.containers.containerd_containers import (
    PATH,
    find_socket,
    run_client,
)
from seclatch.process.containers.membership import find_containers, find_members
from seclatch.process.process_entries import read_entries
from seclatch.process.recognize_profiles import (
    ProfileCandidate,
    compile_candidates,
    read_files,
    recognize_programs,
)
from seclatch.profile.parse.load_profile import parse_profile

_DEFAULT_SOCKET = "/run/containerd/containerd.sock"
KUBELET_PROFILES = Path("/var/lib/kubelet/seccomp")
_SECONDS = 20.0
"""Of one query: the answer is all that was asked for, and a node in trouble is slow."""
_MOST_CONTAINERS = 64
_MOST_FILES = 256
_PROGRAM = re.compile(rb"/[\x20-\x7e]*/(?:runc|crun)")


@dataclass(frozen=True, slots=True)
class PodContainerConfig:
    """What containerd gives the runtime for a container: its `linux.seccomp` in `seccomp`.

    `program` is the runtime's path, "" for containerd's default.
    """

    identifier: str
    names: PodContainer
    program: str
    image: str
    seccomp: object
    no_new_privileges: bool
    user: tuple[int, int]
    created: str
    pid: int = 0

    @property
    def runtime(self) -> str:
        """Return runc or crun."""
        return "crun" if PurePosixPath(self.program).name == "crun" else "runc"

    @property
    def latched(self) -> bool:
        """Return whether the runtime's program is the latch, as `seclatch install` puts it."""
        return bool(self.program) and Path(f"{self.program}.runtime").is_symlink()


def choose_container(
    found: list[PodContainerConfig], selector: PodSelector
) -> PodContainerConfig | None:
    """Return the newest container; None if there is none but the sandbox. Raises SeclatchError."""
    own = [each for each in found if each.names.container]
    newest = {each.names: each for each in sorted(own, key=lambda one: one.created)}
    if len(newest) > 1:
        raise SeclatchError(
            f"pod {selector} has several containers: {', '.join(map(str, sorted(newest)))}",
            remedy="give NAMESPACE/POD/CONTAINER",
            status=2,
        )
    return newest.popitem()[1] if newest else None


def list_pod_containers(selector: PodSelector) -> list[PodContainerConfig]:
    """Return the containers of the pod, with its sandbox. Raises SeclatchError."""
    client = shutil.which("ctr", path=PATH)
    if os.geteuid() or client is None:
        what = "only root may query containerd" if os.geteuid() else "there is no ctr, its client"
        raise SeclatchError(f"looking for the pod's containers: {what}", status=2)
    entries = read_entries()
    known = find_containers(entries)
    pids = {
        each.id: pid for pid, each in sorted(find_members(entries, known).items(), reverse=True)
    }
    shims = [one for one in known.values() if one.trusted and one.namespace == CRI_NAMESPACE]
    sockets = {_identify(path): path for path in map(find_socket, shims)} or {0: _DEFAULT_SOCKET}
    found: list[PodContainerConfig] = []
    for socket in sockets.values():
        words = [client, "--address", socket, "--namespace", CRI_NAMESPACE, "containers"]
        for identifier in _list_ids(words, selector):
            config = parse_container(_run(*words, "info", identifier))
            if config and _is_selected(config.names, selector):
                found.append(replace(config, pid=pids.get(identifier, 0)))
    return found


def find_profile_file(config: PodContainerConfig, folder: Path = KUBELET_PROFILES) -> Path | None:
    """Find the file below the kubelet's folder that has the container's profile.

    The specification does not name it; the file is the one that compiles to the same program.
    """
    if not isinstance(config.seccomp, dict):
        return None
    text = json.dumps(config.seccomp)
    try:
        own = ProfileCandidate("", parse_profile(text, config.names.pod))
    except SeclatchError:
        return None
    codes = {each.code for each in compile_candidates([own])}
    files = sorted(folder.rglob("*.json"))[:_MOST_FILES] if folder.is_dir() else []
    names = recognize_programs(codes, _read_candidates(files), [])
    return Path(min(names.values())) if names else None


def _read_candidates(files: list[Path]) -> Iterator[ProfileCandidate]:
    for file in files:
        with contextlib.suppress(SeclatchError):
            yield from read_files([file])


def _is_selected(names: PodContainer, selector: PodSelector) -> bool:
    """Return whether a container is selected; the sandbox is, by whatever container."""
    return selector.matches(names.namespace, names.pod, names.container or selector.container)


def _identify(path: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(path).st_ino  # noqa: PTH116 (through a magic link)
    return 0


def _list_ids(words: list[str], selector: PodSelector) -> Iterator[str]:
    """List by the label that the kubelet gives. Names have no quote: see `is_pod_name`."""
    query = f'labels."io.kubernetes.pod.name"=={json.dumps(selector.pod)}'
    found = _run(*words, "ls", "--quiet", query).split()
    return iter(found[:_MOST_CONTAINERS])


def _run(*words: str) -> str:
    try:
        return run_client(*words, seconds=_SECONDS)
    except subprocess.CalledProcessError as error:
        reason = str(error.stderr).strip() or f"ctr: status {error.returncode}"
        raise SeclatchError(f"querying containerd: {reason}", status=2) from error
    except subprocess.TimeoutExpired as error:
        raise SeclatchError(
            f"containerd did not answer within {_SECONDS:.0f} s",
            remedy="crictl ps shows whether it answers at all; systemctl status containerd",
            status=2,
        ) from error


def parse_container(text: str) -> PodContainerConfig | None:
    """Parse what `ctr containers info` prints; None for a container outside of pods."""
    try:
        info: dict[str, Any] = json.loads(text)
        spec: dict[str, Any] = info.get("Spec") or {}
        names = read_pod(spec.get("annotations") or {}, CONTAINERD_KEYS)
        process, linux = spec.get("process") or {}, spec.get("linux") or {}
        user = process.get("user") or {}
        if names is None:
            return None
        return PodContainerConfig(
            str(info.get("ID", "")),
            names,
            _find_program((info.get("Runtime") or {}).get("Options")),
            str(info.get("Image", "")),
            linux.get("seccomp"),
            process.get("noNewPrivileges") is True,
            (_read_number(user.get("uid")), _read_number(user.get("gid"))),
            str(info.get("CreatedAt", "")),
        )
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None


def _find_program(options: object) -> str:
    """Return BinaryName of the shim's options: a message in base64, or decoded by ctr."""
    if not isinstance(options, dict):
        return ""
    name = options.get("binary_name") or options.get("BinaryName")
    if isinstance(name, str):
        return name
    with contextlib.suppress(ValueError, TypeError):
        found = _PROGRAM.search(base64.b64decode(options.get("value") or ""))
        return found[0].decode() if found else ""
    return ""


def _read_number(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 1 << 32 else 0
