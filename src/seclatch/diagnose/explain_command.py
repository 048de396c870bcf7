"""Runs the command, or a throwaway container, under the recorder's closer look."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from seclatch.diagnose.build_explanation import build_explanation
from seclatch.diagnose.evidence.container_bundles import BundleContainer, BundleReader
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.diagnose.evidence.stages_by_name import assign_by_name
from seclatch.diagnose.evidence.trial_start import QUIETLY, make_trial_command
from seclatch.model.explanation import Explanation
from seclatch.model.recording import Recording
from seclatch.recording.attribution.attribution import drop_unrelated
from seclatch.recording.backends.bpf.detail_events import Sights, What
from seclatch.recording.record_command import record_command
from seclatch.recording.recorder import RecordOptions
from seclatch.recording.trace.assign_stages import assign_stages
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace

_LOOK_EVERY = 0.003
"""Seconds: crun is through in ten milliseconds, and its bundle may be gone right after."""

_PATIENCE = 15
"""Seconds that a throwaway container may take."""

_HANGING = 5
"""Seconds after which a runtime that was denied a call and did nothing more seems to hang."""


class HangWatch:
    """Says that a runtime hangs: with some calls denied runc waits for ever, or spins."""

    def __init__(self, sights: Sights, tell: Callable[[str], None]) -> None:
        self._sights = sights
        self._tell = tell
        self._next = time.monotonic() + _HANGING
        self._told = False

    def watch(self, trace: Trace) -> None:
        """Look now and then; once something was said, never again."""
        if self._told or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1
        oldest = time.monotonic_ns() - _HANGING * 1_000_000_000
        for seen in self._sights.calls:
            segment = trace.segments.get(seen.segment)
            if seen.what is not What.REFUSED or seen.time > oldest or segment is None:
                continue
            last = trace.processes[segment.process].segments[-1]
            if segment.process in trace.living and last == seen.segment and _is_init(segment):
                self._told = True
                self._tell("the runtime seems to hang after a denied call; ctrl-C twice ends it")
                return


def _is_init(segment: Segment) -> bool:
    return segment.kind == EventKind.FILTER


def explain_command(
    args: tuple[str, ...],
    seconds: float | None,
    tell: Callable[[str], None],
    shown: tuple[str, ...] | None = None,
    *,
    ask: bool = False,
) -> tuple[int, Explanation, Recording]:
    """Run the command as it is; answer its exit status, the explanation, and what was recorded for
    it. Raises SeclatchError.

    `shown` is the command that remedies are about, if not this one. `ask`: have the recording say
    what the images of containers are, for which engines are asked.
    """
    sights, bundles = Sights(), BundleReader()
    seen: list[Trace] = []

    patience = HangWatch(sights, tell)

    def watch(trace: Trace) -> None:
        if not seen:
            seen.append(trace)
        bundles.watch(trace)
        patience.watch(trace)

    options = RecordOptions(
        seconds,
        tell=tell,
        sights=sights,
        watch=watch,
        interval=_LOOK_EVERY,
        insist=True,
        ask=ask,
    )
    status, recording = record_command(args, options)
    trace = drop_unrelated(seen[0])
    staging = assign_stages(trace)
    assign_by_name(trace, staging)
    evidence = RunEvidence(
        shown or args, status, trace, staging, sights, bundles, _engines(seen[0])
    )
    return status, build_explanation(evidence), recording


def _engines(trace: Trace) -> frozenset[str]:
    """The daemons that were followed, also those that did nothing for the command."""
    found = (each.segments[0] for each in trace.processes.values() if each.found_running)
    return frozenset(PurePosixPath(trace.segments[each].file).name for each in found)


def try_profile(
    profile: Path, runtime: str, *, no_new_privs: bool
) -> tuple[Explanation, Recording]:
    """Start /bin/true in a throwaway container under the profile, without the latch, and explain.

    Raises SeclatchError. A runtime that hangs under the profile is ended.
    """
    from seclatch.profile.parse.load_profile import parse
    from seclatch.profile.parse.profile_source import read

    source = read(profile)
    parse(source.text(), source.name)  # to say at once what is wrong with it
    throwaway = BundleContainer(str(profile), None, no_new_privs)
    quiet = ("--no-new-privs",) if no_new_privs else ()
    shown = (
        "seclatch",
        "run",
        "--plain",
        "--runtime",
        runtime,
        *quiet,
        "--profile",
        str(profile),
        "--",
        "/bin/true",
    )
    with _kept(profile, source.data) as file:
        words = make_trial_command(runtime, file, throwaway, latched=False)
        command = (*QUIETLY, "timeout", "--signal=KILL", str(_PATIENCE), *words)
        _, explanation, recording = explain_command(command, None, lambda _: None, shown)
    return explanation, recording


@contextlib.contextmanager
def _kept(profile: Path, content: bytes) -> Iterator[Path]:
    """Where it can be read again: a pipe, or standard input, is empty by now."""
    if profile.is_file():
        yield profile.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="seclatch-explain-") as folder:
        file = Path(folder, "profile.json")
        file.write_bytes(content)
        yield file
