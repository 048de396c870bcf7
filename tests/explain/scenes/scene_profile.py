"""The `linux.seccomp` of a scene's container."""

from __future__ import annotations

import functools
import json
import subprocess
from typing import Any

from tests.explain.scenes.scene import Scene
from tests.latch.oci import SCRIPTS

Document = dict[str, Any]
# A runtime wants its own calls: a profile that lists what is allowed and leaves them out fails
# before the program (class "runtime"). These are added for the others.
RUNTIME_CALLS = """
    capget capset chdir close epoll_ctl execve faccessat2 fcntl fstat fstatfs futex getcwd
    getdents64 getpid getppid newfstatat openat prctl read rt_sigreturn setgid setgroups setuid
    write
"""


def make_profile(scene: Scene) -> Document | None:
    """Return the profile, None for none."""
    if scene.profile == "none":
        return None
    document = _base(scene)
    document["syscalls"] += [dict(rule) for rule in scene.rules]
    return document


def _base(scene: Scene) -> Document:
    if scene.profile == "allow-all":
        rule: Document = {"names": list(scene.deny), "action": scene.action}
        if scene.action == "SCMP_ACT_ERRNO":
            rule["errnoRet"] = scene.errno
        return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] if scene.deny else []}
    if scene.profile == "docker-default":
        return _without(docker_default(scene.add_caps, scene.drop_caps), scene)
    if scene.profile in ("allow", "allow-and-runtime"):
        names = [*scene.allow, *(RUNTIME_CALLS.split() if scene.profile != "allow" else ())]
        rule = {"names": sorted(set(names)), "action": "SCMP_ACT_ALLOW"}
        return _without({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}, scene)
    raise ValueError(f"{scene.name}: no profile {scene.profile}")


def _without(document: Document, scene: Scene) -> Document:
    for rule in document["syscalls"]:
        rule["names"] = [name for name in rule["names"] if name not in scene.deny]
    document["syscalls"] = [rule for rule in document["syscalls"] if rule["names"]]
    return document


def docker_default(add: tuple[str, ...], drop: tuple[str, ...]) -> Document:
    """Return what dockerd writes into config.json for a container with these capabilities."""
    document: Document = json.loads(_resolved(add, drop))
    return document


@functools.cache
def _resolved(add: tuple[str, ...], drop: tuple[str, ...]) -> str:
    words = [str(SCRIPTS / "seclatch"), "profile", "resolve", "docker-default"]
    words += [f"--cap-add={name}" for name in add] + [f"--cap-drop={name}" for name in drop]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
