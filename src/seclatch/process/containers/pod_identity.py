"""Decide which pod a container is of, by what its engine wrote itself.

A bundle's annotations are mixed: the engine's own ones, and those that a pod's author chose. So the
pod that they name must be confirmed: by the name that CRI-O gave the monitor, or by the bundle of
the pod's sandbox and the control group of the kubelet's pod. What is not confirmed is `claimed`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from seclatch.model.pod import (
    CONTAINERD_KEYS,
    CRI_O_KEYS,
    PodContainer,
    find_annotation,
    is_pod_name,
    is_sandbox,
    read_pod,
)
from seclatch.process.containers.membership import FoundContainer
from seclatch.process.containers.metadata_trust import HEXADECIMAL
from seclatch.system.procfs import read_file

_SIZE = 4 << 20
_SANDBOX_ID = "io.kubernetes.cri.sandbox-id"
_SANDBOX_UID = "io.kubernetes.cri.sandbox-uid"
# kubepods/besteffort/podUID/ID, or kubepods-besteffort-podUID.slice:cri-containerd:ID with _ for -.
_POD_GROUP = re.compile(r"(?:^|[/-])pod([0-9a-f][0-9a-f_-]{7,63})(?:\.slice|/|:|$)")
# CRI-O's own name of a container: k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT. No name in Kubernetes
# has an underscore.
_CRI_O_NAME = re.compile(r"k8s_([^_]+)_([^_]+)_([^_]+)_([^_]+)_(\d+)")
_CRI_O_SANDBOX = "POD"


@dataclass(frozen=True, slots=True)
class PodBundle:
    """A container's bundle directory and the parsed config.json in it."""

    folder: str
    notes: Mapping[str, object]
    config: Mapping[str, Any]


def identify_pod(found: FoundContainer, bundle: PodBundle) -> PodContainer | None:
    """Return the pod of a container of a CRI implementation; None if it names none."""
    if found.engine == "cri-o":
        return _parse_monitor_name(found.name) or _claim(read_pod(bundle.notes, CRI_O_KEYS))
    pod = read_pod(bundle.notes, CONTAINERD_KEYS)
    if pod is None or (_agrees_with_sandbox(found, bundle) and _agrees_with_group(bundle)):
        return pod
    return _claim(pod)


def _claim(pod: PodContainer | None) -> PodContainer | None:
    return msgspec.structs.replace(pod, claimed=True) if pod else None


def _parse_monitor_name(name: str) -> PodContainer | None:
    """Read the name that CRI-O gave conmon, which root alone starts as a trusted monitor."""
    match = _CRI_O_NAME.fullmatch(name)
    if match is None or not all(map(is_pod_name, match.groups()[:3])):
        return None
    container = "" if match[1] == _CRI_O_SANDBOX else match[1]
    return PodContainer(namespace=match[3], pod=match[2], container=container)


def _agrees_with_sandbox(found: FoundContainer, bundle: PodBundle) -> bool:
    """Compare with the sandbox's bundle, which containerd keeps beside all others of the pod."""
    identifier = find_annotation(bundle.notes, _SANDBOX_ID)
    if identifier == found.id:
        return is_sandbox(bundle.notes, CONTAINERD_KEYS)
    if not HEXADECIMAL.fullmatch(identifier):
        return False
    try:
        content = read_file(f"{bundle.folder}/../{identifier}/config.json", _SIZE)
        notes = dict(json.loads(content).get("annotations") or {})
    except (ValueError, AttributeError, TypeError, RecursionError):
        return False
    keys = (CONTAINERD_KEYS.namespace, CONTAINERD_KEYS.pod, _SANDBOX_UID, _SANDBOX_ID)
    same = all(find_annotation(notes, key) == find_annotation(bundle.notes, key) for key in keys)
    return same and is_sandbox(notes, CONTAINERD_KEYS)


def _agrees_with_group(bundle: PodBundle) -> bool:
    """Compare the pod's UID with that in the kubelet's control group; other clients have none."""
    linux = bundle.config.get("linux")
    path = linux.get("cgroupsPath") if isinstance(linux, dict) else ""
    match = _POD_GROUP.search(path) if isinstance(path, str) else None
    if match is None:
        return True
    uid = find_annotation(bundle.notes, _SANDBOX_UID)
    return match[1].replace("_", "-") == uid.replace("_", "-")
