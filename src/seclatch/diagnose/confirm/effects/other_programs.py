"""Find programs outside of a container that work for it: hooks, agents, what annotations ask for.

An annotation counts unless it is known that no runtime acts on it: crun's have it connect to
sockets, load libraries and write files (crun(1), `run.oci.`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from seclatch.diagnose.confirm.effects.oci_values import get_list, get_object

_HOOKS = "prestart createRuntime createContainer startContainer poststart poststop"
# Notes of engines and images, and how systemd stops a container that Podman has made.
_NOTES = (
    "io.container.manager",
    "io.podman.annotations.",
    "nerdctl/",
    "org.opencontainers.image.",
    "org.systemd.property.KillSignal",
    "org.systemd.property.TimeoutStopUSec",
    "run.oci.keep_original_groups",
)


def find_other_programs(config: Mapping[str, Any], client: str) -> Iterator[str]:
    """Yield what works for a container that a client has made."""
    yield from _find_hooks(config, client)
    if get_object(get_object(config, "linux"), "seccomp").get("listenerPath"):
        yield "its profile has an agent answer for calls (listenerPath)"
    for name in get_object(config, "annotations"):
        if not str(name).startswith(_NOTES):
            yield f"it has an annotation of which others may work for it ({name})"


def _find_hooks(config: Mapping[str, Any], client: str) -> Iterator[str]:
    hooks = get_object(config, "hooks")
    for name in hooks.keys() | set(_HOOKS.split()):
        for hook in get_list(hooks, name):
            if not _is_of_engine(hook, client):
                yield f"a hook runs with it ({hook.get('path', name)})"


def _is_of_engine(hook: Mapping[str, Any], client: str) -> bool:
    """Return whether the engine put it there, to connect the network that its options ask for.

    dockerd and nerdctl let no user add one; the same in a bundle may be from any user.
    """
    path, args = PurePosixPath(str(hook.get("path", ""))), get_list(hook, "args", str)
    if client == "docker":
        own = path.match("/proc/*/exe") or path.name == "dockerd"
        return own and args[:1] == ["libnetwork-setkey"]
    return client == "nerdctl" and path.name == "nerdctl" and "oci-hook" in args
