"""Run a command, or a throwaway container, in detail mode and explain its failure."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from seclatch.diagnose.build_explanation import build_explanation
from seclatch.diagnose.evidence.container_bundles import BundleContainer, BundleReader
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.diagnose.evidence.script_texts import ScriptReader
from seclatch.diagnose.evidence.stages_by_name import assign_by_name
from seclatch.diagnose.evidence.trial_start import QUIETLY, make_trial_command, prepare_trial
from seclatch.model.explanation import Explanation
from seclatch.model.recording import Recording
from seclatch.recording.attribution.attribution import drop_unrelated
from seclatch.recording.backends.bpf.detail_events import Sights, What
from seclatch.recording.record_command import record_command
from seclatch.recording.recorder import RecordOptions
from seclatch.recording.trace.assign_stages import assign_stages
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace

_UPDATE_INTERVAL = 0.003
"""Seconds: crun is done in ten milliseconds, and its bundle may be removed right after."""

_TRIAL_SECONDS = 15
"""Seconds until a throwaway container is killed."""

_HANG_SECONDS = 5
"""Seconds without any call after a denied one, after which a runtime seems to hang."""


class HangWatch:
    """Warns that a runtime hangs: with some calls denied runc waits for ever, or spins."""

    def __init__(self, sights: Sights, notify: Callable[[str], None]) -> None:
        self._sights = sights
        self._notify = notify
        self._next = time.monotonic() + _HANG_SECONDS
        self._warned = False

    def watch(self, trace: Trace) -> None:
        """Look for a hanging runtime once a second; warn once."""
        if self._warned or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1
        oldest = time.monotonic_ns() - _HANG_SECONDS * 1_000_000_000
        for seen in self._sights.calls:
            segment = trace.segments.get(seen.segment)
            if seen.what is not What.REFUSED or seen.time > oldest or segment is None:
                continue
            last = trace.processes[segment.process].segments[-1]
            if segment.process in trace.living and last == seen.segment and _is_init(segment):
                self._warned = True
                self._notify("the runtime seems to hang after a denied call; ctrl-C twice ends it")
                return


def _is_init(segment: Segment) -> bool:
    return segment.kind == EventKind.FILTER


def explain_command(
    args: tuple[str, ...],
    seconds: float | None,
    notify: Callable[[str], None],
    shown: tuple[str, ...] | None = None,
    *,
    query_images: bool = False,
) -> tuple[int, Explanation, Recording]:
    """Run the command and return its exit status, the explanation and the recording.

    Raises SeclatchError. `shown` is the command that remedies are about, if not this one.
    `query_images`: ask engines for the images of containers, for the recording.
    """
    sights, bundles, scripts = Sights(), BundleReader(), ScriptReader()
    seen: list[Trace] = []

    patience = HangWatch(sights, notify)

    def watch(trace: Trace) -> None:
        if not seen:
            seen.append(trace)
        bundles.watch(trace)
        scripts.watch(trace)
        patience.watch(trace)

    options = RecordOptions(
        seconds,
        notify=notify,
        sights=sights,
        watch=watch,
        interval=_UPDATE_INTERVAL,
        kill_on_repeat=True,
        query_images=query_images,
    )
    status, recording = record_command(args, options)
    trace = drop_unrelated(seen[0])
    staging = assign_stages(trace)
    assign_by_name(trace, staging)
    evidence = RunEvidence(
        shown or args, status, trace, staging, sights, bundles, _list_engines(seen[0]), scripts
    )
    return status, build_explanation(evidence), recording


def _list_engines(trace: Trace) -> frozenset[str]:
    """Return the program names of all followed daemons, with or without work for the command."""
    found = (process.segments[0] for process in trace.processes.values() if process.found_running)
    return frozenset(PurePosixPath(trace.segments[segment].file).name for segment in found)


def try_profile(
    profile: Path, runtime: str, *, no_new_privs: bool
) -> tuple[Explanation, Recording]:
    """Explain the start of /bin/true in a throwaway container under the profile, without the latch.

    Raises SeclatchError. A runtime that hangs under the profile is killed.
    """
    from seclatch.profile.parse.load_profile import parse_profile
    from seclatch.profile.parse.profile_source import read_source

    source = read_source(profile)
    parse_profile(
        source.text(), source.name
    )  # report errors in the profile before anything is started
    throwaway = BundleContainer(str(profile), None, no_new_privs)
    with _keep_readable(profile, source.data) as file:
        return try_container(throwaway, file, runtime, latched=False)


def try_container(
    container: BundleContainer, file: Path, runtime: str, *, latched: bool
) -> tuple[Explanation, Recording]:
    """Explain the start of /bin/true in a throwaway container like this one, under file's profile.

    `source` of the container is the profile's name for remedies. Raises SeclatchError.
    """
    prepare_trial()
    quiet = ("--no-new-privs",) if container.no_new_privileges else ()
    plain = () if latched else ("--plain",)
    options = (*plain, "--runtime", runtime, *quiet, "--profile", container.source)
    shown = ("seclatch", "run", *options, "--", "/bin/true")
    words = make_trial_command(runtime, file, container, latched=latched)
    command = (*QUIETLY, "timeout", "--signal=KILL", str(_TRIAL_SECONDS), *words)
    _, explanation, recording = explain_command(command, None, lambda _: None, shown)
    return explanation, recording


@contextlib.contextmanager
def _keep_readable(profile: Path, content: bytes) -> Iterator[Path]:
    """Yield a path that can be read again: a pipe or standard input is empty by now."""
    if profile.is_file():
        yield profile.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="seclatch-explain-") as folder:
        file = Path(folder, "profile.json")
        file.write_bytes(content)
        yield file
