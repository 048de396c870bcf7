"""Read the names that an engine has given to a container, while its runtime makes it.

Once a container has ended an engine may not know it any more (`--rm`), and one that ends at once
does so before its engine can be asked. Podman and CRI-O have the name in the arguments of the
monitor, dockerd in a file beside the ones that it mounts into the container, nerdctl in an
annotation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from seclatch.diagnose.evidence.container_bundles import BundleReader, load_json
from seclatch.recording.trace.assign_stages import list_ancestry
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace
from seclatch.system.procfs import read_command_line, read_status

_NERDCTL = "nerdctl/name"


class EngineNameReader:
    """Reads the names of each container that is created in a growing trace, by its id."""

    def __init__(self, bundles: BundleReader) -> None:
        self._bundles = bundles
        self._looked = 0
        self.found: dict[str, frozenset[str]] = {}

    def watch(self, trace: Trace) -> None:
        """Process new segments, once their bundles are read; cheap if there are none."""
        new = len(trace.segments) - self._looked
        for number in list(islice(reversed(trace.segments), new)):
            segment = trace.segments[number]
            if segment.kind == EventKind.EXEC and {"create", "run"} & set(segment.argv[1:]):
                known = self.found.get(segment.argv[-1], frozenset())
                self.found[segment.argv[-1]] = known.union(self._list_names(trace, segment))
        self._looked += new

    def _list_names(self, trace: Trace, segment: Segment) -> Iterator[str]:
        pid = trace.processes[segment.process].pid
        status = read_status(pid)
        parent = status.parent if status else 0
        if monitor := read_status(parent):
            yield from _read_monitor_name(*read_command_line(parent, monitor.state))
        for ancestor in list_ancestry(trace, segment):
            yield from _read_monitor_name(*ancestor.argv)
            if bundle := self._bundles.found.get(ancestor.id):
                yield from _read_nerdctl_name(bundle.config)
                roots = [Path(f"/proc/{each}/root") for each in (pid, parent) if each]
                yield from _read_docker_name(bundle.config, segment.argv[-1], [*roots, Path("/")])


def _read_monitor_name(program: str = "", *words: str) -> Iterator[str]:
    if PurePosixPath(program).name == "conmon" and "-n" in words[:-1]:
        yield words[words.index("-n") + 1]


def _read_nerdctl_name(config: Mapping[str, Any]) -> Iterator[str]:
    notes = config.get("annotations")
    if isinstance(notes, dict) and isinstance(name := notes.get(_NERDCTL), str):
        yield name


def _read_docker_name(
    config: Mapping[str, Any], identifier: str, roots: list[Path]
) -> Iterator[str]:
    """Yield the name in dockerd's own description of a container.

    It is in the directory from which dockerd mounts /etc/hosts, or /dev/shm where the network is
    another container's.
    """
    mounts = config.get("mounts")
    for mount in mounts if isinstance(mounts, list) else []:
        source = mount.get("source") if isinstance(mount, dict) else None
        place, found, _ = str(source or "").partition(f"/containers/{identifier}/")
        if not found or not place.startswith("/"):
            continue
        for root in roots:
            description = load_json(root / f"{place}{found}config.v2.json".lstrip("/"))
            name = description.get("Name") if isinstance(description, dict) else None
            if isinstance(name, str):
                yield name.removeprefix("/")
                return
