"""Read a container's profile from its bundle, while the runtime is running.

Engines remove a bundle as soon as its container has failed, so it is read when the runtime is
observed to start. All files are untrusted: bounded in size, and of any content.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from seclatch.errors import SeclatchError
from seclatch.model.pod import find_keys, read_pod
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace, TracedProcess

if TYPE_CHECKING:
    from seclatch.model.profile.profile import Profile

_VERBS = {"create", "run", "exec", "start", "restore"}
_MAX_SIZE = 8 << 20
_STATES = ("/run/runc", "/run/crun")


@dataclass(frozen=True)
class BundleContainer:
    """The configuration that a runtime was given.

    `source` names the file; `seccomp` is the profile as it is written there; `names` are those of a
    pod's container, as a CRI implementation writes them; `config` is all of it; `folder` is the
    device and the inode of the bundle's directory, (0, 0) if that is not known.
    """

    source: str
    seccomp: object = None
    no_new_privileges: bool = False
    user: tuple[int, int] = (0, 0)
    names: frozenset[str] = frozenset()
    config: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    folder: tuple[int, int] = (0, 0)

    @property
    def words(self) -> str:
        """Return the program's arguments as one text."""
        words = _get_object(dict(self.config), "process").get("args")
        return " ".join(map(str, words)) if isinstance(words, list) else ""

    @cached_property
    def profile(self) -> Profile | None:
        """Return the parsed profile; None if there is none or it cannot be read.

        Parsed on demand: bundles are read while the runtime is running, which takes ten
        milliseconds.
        """
        if not isinstance(self.seccomp, dict):
            return None
        from seclatch.profile.parse.load_profile import parse_profile

        try:
            return parse_profile(json.dumps(self.seccomp), self.source)
        except (SeclatchError, RecursionError):
            return None


class BundleReader:
    """Reads the configuration of each runtime call in a growing trace, by segment."""

    def __init__(self) -> None:
        self.found: dict[int, BundleContainer] = {}
        self._looked = 0

    def watch(self, trace: Trace) -> None:
        """Process new segments; cheap if there are none."""
        new = len(trace.segments) - self._looked
        for number in list(islice(reversed(trace.segments), new)):
            segment = trace.segments[number]
            if segment.kind == EventKind.EXEC and (
                _is_monitor(segment) or _is_runtime_call(segment)
            ):
                process = trace.processes[segment.process]
                pids = list(_list_ancestor_pids(trace, process))
                here = Path.cwd() if _is_command(trace, segment, process) else None
                if container := _read_bundle(segment, pids, here):
                    self.found[number] = container
        self._looked += new


def _is_runtime_call(segment: Segment) -> bool:
    return bool(_VERBS & set(segment.argv[1:]))


def _is_monitor(segment: Segment) -> bool:
    """Return whether a segment is a containerd shim, which works in the bundle, or conmon.

    Both know the bundle well before the runtime, and a fast runtime may end before it is read.
    """
    return PurePosixPath(segment.file).name.startswith(("containerd-shim", "conmon"))


def _list_ancestor_pids(trace: Trace, process: TracedProcess) -> Iterator[int]:
    """Yield the pids of a process and its ancestors: one lives long enough to be read through."""
    at: TracedProcess | None = process
    while at is not None:
        yield at.pid
        at = None if at.parent is None else trace.processes.get(at.parent)


def _is_command(trace: Trace, segment: Segment, process: TracedProcess) -> bool:
    """Return whether a segment is the user's command itself, begun in this program's directory."""
    executed = [one for one in process.segments if trace.segments[one].kind == EventKind.EXEC]
    first = executed[:1] == [segment.id]
    return first and process.parent is None and not process.found_running


def _read_bundle(
    segment: Segment, pids: list[int], here: Path | None = None
) -> BundleContainer | None:
    for path in _list_candidates(segment, pids, here):
        folder = identify_folder(path.parent)
        config = load_json(path)
        if isinstance(config, dict) and "process" in config:
            return replace(describe_bundle(config, _name_source(segment, path)), folder=folder)
    return None


def identify_folder(folder: Path) -> tuple[int, int]:
    """Return a directory's device and inode; (0, 0) if it cannot be looked at."""
    try:
        found = folder.stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def load_json(path: Path) -> Any:
    """Read a JSON file; None if it is missing, not regular, or too large."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not block
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            content = file.read(_MAX_SIZE + 1)
        return json.loads(content) if len(content) <= _MAX_SIZE else None
    except (OSError, ValueError, RecursionError):
        return None


def _list_candidates(segment: Segment, pids: list[int], here: Path | None) -> Iterator[Path]:
    """Yield paths of the configuration, through the root directories of processes that used it.

    `here`: where the runtime began. Before it does anything else it changes to its bundle (runc's
    `setupSpec`), so that the directory that it is in is the bundle itself, and no longer has it.
    """
    argv = segment.argv
    roots = [*(Path(f"/proc/{pid}/root") for pid in pids), Path("/")]
    named = _list_named(argv)
    for bundle in named:
        if bundle.startswith("/"):
            yield from (root / bundle.lstrip("/") / "config.json" for root in roots)
        else:
            yield from _list_relative(PurePosixPath(bundle, "config.json"), pids, here)
    if {"exec", "start"} & set(argv):
        for root in roots:
            yield from _list_running(argv, root)
    if not named and (_is_monitor(segment) or {"run", "create"} & set(argv)):
        yield from (Path(f"/proc/{pid}/cwd/config.json") for pid in pids)


def _list_named(argv: tuple[str, ...]) -> list[str]:
    return [*find_option_values(argv, "--bundle"), *find_option_values(argv, "-b")]


def _list_relative(file: PurePosixPath, pids: list[int], here: Path | None) -> Iterator[Path]:
    yield from (Path(f"/proc/{pid}/cwd") / name for pid in pids[:1] for name in (file, file.name))
    yield from (Path(f"/proc/{pid}/cwd") / file for pid in pids[1:])
    if here is not None:
        yield here / file


def _list_running(argv: tuple[str, ...], root: Path) -> Iterator[Path]:
    """Yield the bundle of an existing container, from its state."""
    verb = next(n for n, word in enumerate(argv) if word in ("exec", "start"))
    for place in (*find_option_values(argv, "--root"), *_STATES):
        for word in argv[verb + 1 :]:
            if not word or "/" in word or word.startswith("-"):
                continue
            state = root / place.lstrip("/") / word
            yield state / "config.json"  # crun's copy
            if bundle := _read_state(state / "state.json"):  # runc's
                yield root / bundle.lstrip("/") / "config.json"


def _read_state(state: Path) -> str | None:
    found = load_json(state)
    labels = _get_object(found, "config").get("labels") if isinstance(found, dict) else None
    for label in labels if isinstance(labels, list) else []:
        if str(label).startswith("bundle="):
            return str(label).removeprefix("bundle=")
    return None


def find_option_values(argv: tuple[str, ...], option: str) -> list[str]:
    """Return all values of an option, given as `--option X` or `--option=X`."""
    values = [argv[n + 1] for n, word in enumerate(argv[:-1]) if word == option]
    long = f"{option}="
    return values + [word.removeprefix(long) for word in argv if word.startswith(long)]


def _name_source(segment: Segment, path: Path) -> str:
    """Return the path as the runtime was given it."""
    named = _list_named(segment.argv)
    relative = [bundle for bundle in named if not bundle.startswith("/")]
    if relative and path.name == "config.json":
        return os.path.normpath(PurePosixPath(relative[-1], "config.json"))
    return _strip_proc_prefix(path)


def _strip_proc_prefix(path: Path) -> str:
    """Return the path as the runtime sees it."""
    parts = PurePosixPath(path).parts
    if parts[:2] == ("/", "proc") and len(parts) > 4 and parts[3] == "root":
        return "/" + "/".join(parts[4:])
    if parts[:2] == ("/", "proc") and len(parts) > 4 and parts[3] == "cwd":
        return os.path.normpath("/".join(parts[4:]))
    return str(path)


def describe_bundle(config: dict[str, Any], source: str) -> BundleContainer:
    """Read the relevant fields of a config.json."""
    process = _get_object(config, "process")
    user = _get_object(process, "user")
    return BundleContainer(
        source,
        _get_object(config, "linux").get("seccomp"),
        process.get("noNewPrivileges") is True,
        (_get_id(user.get("uid")), _get_id(user.get("gid"))),
        _list_pod_names(_get_object(config, "annotations")),
        config,
    )


def _list_pod_names(annotations: dict[str, Any]) -> frozenset[str]:
    keys = find_keys(annotations)
    names = read_pod(annotations, keys) if keys else None
    return frozenset({names.container, names.pod, str(names)} - {""}) if names else frozenset()


def _get_object(holder: dict[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _get_id(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 1 << 32 else 0
