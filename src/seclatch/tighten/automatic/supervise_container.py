"""The supervisor of one annotated container, started by the latch's front before the runtime.

The front waits for its report: supervised, nothing to do, or why nothing may start. It waits until
the container is ready, puts the running profile on, and ends; each start of a container has its
own. It belongs to no engine: nothing of it ends when the engine does.
"""

from __future__ import annotations

import contextlib
import os
import sys
import syslog
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable
from seclatch.recording.ready.program_state import TimeHasPassed
from seclatch.recording.ready.ready_condition import ReadyCondition
from seclatch.system.detached_process import run_detached
from seclatch.system.held_file import HeldFile
from seclatch.system.procfs import read_argv, read_start
from seclatch.tighten.automatic.abandoned_container import (
    SupervisedMark,
    conclude_abandoned,
    mark_supervised,
    take_abandoned,
)
from seclatch.tighten.automatic.annotated_ready import make_condition
from seclatch.tighten.automatic.await_start import MAX_SHARE, StartWait, await_start
from seclatch.tighten.automatic.engine_client import find_engine_container
from seclatch.tighten.automatic.profile_directory import DIRECTORY
from seclatch.tighten.automatic.running_annotations import (
    AnnotatedContainer,
    RunningRequest,
    asks_to_stop,
    read_annotated_container,
    read_running_request,
)
from seclatch.tighten.automatic.session_filter import remove_session_filter, remove_stale_filters
from seclatch.tighten.automatic.started_container import (
    StartedContainer,
    read_front_identifier,
)
from seclatch.tighten.automatic.supervision_guard import MAX_RESTARTS, Phase, SupervisionGuard

_SUPERVISED, _NOTHING, _REFUSED = b"1", b"0", b"R"
_REPORT = 3  # the descriptor
_MAX_REPORT = 500
_EVERY, _REFRESH = 0.2, 2.0


class SupervisorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the administrator chose at install. `profiles`: the directory of running profiles."""

    profiles: str = DIRECTORY

    def encode(self) -> bytes:
        """Return the file's bytes."""
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"


@dataclass(frozen=True, slots=True)
class FrontWords:
    """What the front hands over: its pid, the bundle, the name of the configuration there."""

    front: int
    bundle: str
    config: str


@dataclass(frozen=True, slots=True)
class Supervision:
    """One container to supervise, by the programs in `programs`.

    `front`: pid of the latch's front. `since`: start time of this process, in clock ticks. `mark`:
    the file that is locked while a supervisor or guard of this container lives.
    """

    request: RunningRequest
    condition: ReadyCondition
    settings: SupervisorSettings
    programs: Path
    front: int
    since: int
    mark: HeldFile


def main(program: str) -> int:
    """Supervise the container that argv names: the front's pid, bundle, configuration's name.

    With `--check` (`seclatch doctor`) return 0: all that is needed was imported and read.
    """
    os.umask(0o022)
    path = Path(program).with_name("supervisor.json")
    settings = msgspec.json.decode(path.read_bytes(), type=SupervisorSettings)
    if sys.argv[1:] == ["--check"]:
        return 0
    syslog.openlog("seclatch", syslog.LOG_PID, syslog.LOG_DAEMON)
    words = FrontWords(int(sys.argv[1]), sys.argv[2], sys.argv[3])
    try:
        identifier = read_front_identifier(read_argv(words.front)[0])
        found = read_annotated_container(words.bundle, words.config, identifier)
    except (OSError, SeclatchError) as error:
        return _refuse(error, stop=True)
    if found is None:
        _report(_NOTHING)
        return 0
    try:
        supervision = prepare(found, settings, path.parent, words)
    except (OSError, SeclatchError) as error:
        return _refuse(error, stop=asks_to_stop(found), identifier=found.identifier)
    os.chdir("/")
    guard = SupervisionGuard(
        lambda guard: supervise(supervision, guard),
        lambda: _stop_unsupervised(supervision),
        lambda sentence: log(syslog.LOG_WARNING, found.identifier, sentence),
        report=_REPORT,
    )
    try:
        guard.begin()
    except OSError as error:
        supervision.mark.remove()
        return _refuse(error, stop=asks_to_stop(found), identifier=found.identifier)
    _report(_SUPERVISED)
    _conclude_others(supervision)
    return supervise(supervision, guard)


def prepare(
    found: AnnotatedContainer,
    settings: SupervisorSettings,
    programs: Path,
    words: FrontWords,
) -> Supervision:
    """Check all that can be known before the container starts. Raises SeclatchError, OSError."""
    request = read_running_request(found)
    if not request.identifier:
        raise SeclatchError("the runtime's command line does not name the container")
    _check_profile(settings, request)
    condition = make_condition(request, programs.name, words.bundle, words.config)
    remove_stale_filters()
    remove_session_filter(request.identifier)
    condition.notify = lambda sentence: log(syslog.LOG_WARNING, request.identifier, sentence)
    since = read_start(os.getpid())
    condition.begin(client=True)
    mark = mark_supervised(
        request.identifier, SupervisedMark(since=since, stop=request.stop, front=words.front)
    )
    return Supervision(request, condition, settings, programs, words.front, since, mark)


def _check_profile(settings: SupervisorSettings, request: RunningRequest) -> None:
    """Compile the profile in a process of its own: this one waits long, and stays small.

    Raises SeclatchError with what was found.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        from seclatch.tighten.automatic.put_running_profile import find_profile_problem

        with contextlib.suppress(OSError):
            os.write(writing, find_profile_problem(settings.profiles, request.name).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        problem, _, remedy = (
            answers.read(_MAX_REPORT * 4).decode("utf-8", "replace").partition("\n")
        )
    if os.waitpid(child, 0)[1]:
        problem = problem or "the profile could not be checked"
    if problem:
        raise SeclatchError(problem, remedy=remedy)


def supervise(work: Supervision, guard: SupervisionGuard) -> int:
    """Wait for the container and its readiness, and tighten it."""
    status = _supervise(work, guard)
    # Removed before DONE is set: if this process is killed in between, its successor tightens
    # again, which changes nothing.
    work.mark.remove()
    guard.phase = Phase.DONE
    return status


def _conclude_others(work: Supervision) -> None:
    """Do what is asked for containers whose supervisors were all killed, in another process."""
    files = list(take_abandoned())

    def conclude() -> None:
        work.mark.leave()
        conclude_abandoned(files, _conclude_abandoned, _log_unsettled)

    try:
        if files:
            run_detached(conclude)
    except OSError as error:  # the next supervisor on this host finds them
        for file in files:
            _log_unsettled(file.path.name, str(error))
    for file in files:
        file.leave()


def _log_unsettled(identifier: str, problem: str) -> None:
    sentence = "its supervisor and that one's guard were killed together; looking after it failed"
    log(syslog.LOG_ERR, identifier, f"{sentence}: {problem}; the next start tries again")


def _conclude_abandoned(started: StartedContainer, mark: SupervisedMark) -> None:
    _conclude(mark.stop, started, "its supervisor and that one's guard were killed together")


def _supervise(work: Supervision, guard: SupervisionGuard) -> int:
    request = work.request
    started = None
    try:
        started, problem = await_start(_make_wait(work, guard))
        if started is None:
            log(syslog.LOG_NOTICE, request.identifier, "not tightened: it was never started")
            return 0
        problem = problem or _go_on(work, started, guard)
    except Exception as error:
        problem = str(error) or type(error).__name__
    finally:
        work.condition.close()
    if started is None:
        log(syslog.LOG_ERR, request.identifier, f"not tightened: {problem}")
        return 1
    guard.renew()
    if not problem and not started.has_ended():
        problem = _tighten(work, started)
    if problem:
        guard.phase = Phase.FAILED
    if started.has_ended():
        log(syslog.LOG_INFO, request.identifier, "it has ended before it was tightened")
        return 0
    return _conclude(request.stop, started, problem)


def _stop_unsupervised(work: Supervision) -> None:
    """Do what is asked for where the container cannot be tightened; none starts after this."""
    started, _ = await_start(_make_wait(work, None))
    if started:
        problem = f"its supervisor was killed {MAX_RESTARTS + 1} times"
        _conclude(work.request.stop, started, problem)
    work.mark.remove()


def _make_wait(work: Supervision, guard: SupervisionGuard | None) -> StartWait:
    identifier = work.request.identifier
    return StartWait(
        identifier,
        work.front,
        work.since,
        work.request.limit,
        lambda sentence: log(syslog.LOG_WARNING, identifier, sentence),
        guard.renew if guard else lambda: None,
        guard.rest if guard else time.sleep,
    )


def _conclude(stop: bool, started: StartedContainer, problem: str) -> int:
    if not problem:
        return 0
    what = "it is stopped" if stop else "it goes on under its own profile alone"
    log(syslog.LOG_ERR, started.identifier, f"not tightened: {problem}; {what} (seclatch.unready)")
    if stop:
        started.stop()
    return 1


def _go_on(work: Supervision, started: StartedContainer, guard: SupervisionGuard) -> str:
    """Wait until it is ready, where no supervisor before this one got further; or why not."""
    if guard.phase is Phase.FAILED:
        return "its supervisor was killed when it could not be tightened"
    if guard.phase is Phase.WAITING:
        if problem := _await_ready(work, started, guard):
            return problem
        guard.phase = Phase.READY
    return ""


def _await_ready(work: Supervision, started: StartedContainer, guard: SupervisionGuard) -> str:
    """Return "" once it is ready, or has ended; else why it is not."""
    asks = work.request.ready.startswith(("log:", "healthy"))
    began = guard.began_waiting
    limit = began + work.request.limit
    if isinstance(work.condition, TimeHasPassed):
        work.condition.count_from(began)  # the program's start
    refreshed = 0.0
    while not started.has_ended():
        guard.renew()
        now = time.monotonic()
        if asks and now - refreshed >= _REFRESH:
            refreshed = now
            started.containers = find_engine_container(started.identifier)
        if work.condition.is_met(started):
            seconds = time.monotonic() - began
            log(
                syslog.LOG_INFO,
                started.identifier,
                f"ready ({work.request.ready}), {seconds:.1f} s",
            )
            return ""
        if now >= limit:
            return f"it was not ready ({work.request.ready}) within {work.request.limit:g} s"
        guard.rest(max(_EVERY, MAX_SHARE * (time.monotonic() - now)))
    return ""


def _tighten(work: Supervision, started: StartedContainer) -> str:
    """Return why it could not be tightened; "" if it is."""
    from seclatch.tighten.automatic.put_running_profile import put_running_profile

    try:
        done = put_running_profile(
            work.request, work.settings.profiles, work.programs / "seclatch-tighten", started
        )
    except Exception as error:
        remedy = getattr(error, "remedy", "")
        return f"{error or type(error).__name__}" + (f" ({remedy})" if remedy else "")
    log(syslog.LOG_NOTICE, started.identifier, done)
    return ""


def log(severity: int, identifier: str, sentence: str) -> None:
    """Write a line to the system log, where the latch writes its own."""
    syslog.syslog(severity, make_printable(f"running profile: container={identifier}: {sentence}"))


def _refuse(error: OSError | SeclatchError, *, stop: bool, identifier: str = "?") -> int:
    """Report why the container may not start; or log it, and let it start."""
    problem, remedy = f"{error}", getattr(error, "remedy", "")
    if not stop:
        log(
            syslog.LOG_ERR,
            identifier,
            f"not tightened: {problem}; {remedy}; it starts under its own profile alone",
        )
        _report(_NOTHING)
        return 1
    log(syslog.LOG_ERR, identifier, f"nothing was started: {problem}; {remedy}")
    _report(_REFUSED + f"{problem}\n{remedy}".encode()[: _MAX_REPORT - 1])
    return 1


def _report(report: bytes) -> None:
    """Write the report for the front to descriptor 3, and close it."""
    with contextlib.suppress(OSError):  # the front gave up waiting
        os.write(_REPORT, report)
    with contextlib.suppress(OSError):
        os.close(_REPORT)
