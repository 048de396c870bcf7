"""Record a command: start it, follow it and what it starts, return its status and the recording."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterator
from functools import cached_property
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

from seclatch.errors import SeclatchError
from seclatch.recording.recorder import (
    BLOCKED_SIGNALS,
    STOP_SIGNALS,
    RecordOptions,
    TraceRecorder,
    restore_signals,
)
from seclatch.recording.select_backend import select_backend
from seclatch.recording.trace.process_killer import ProcessKiller

if TYPE_CHECKING:
    from datetime import datetime

    from seclatch.model.recording.recording import Recording
    from seclatch.recording.backends.backend import RecordingBackend
    from seclatch.recording.command_attribution import CommandAttribution
    from seclatch.recording.ready.ready_condition import EngineContainer
    from seclatch.recording.trace.run_metadata import RunMetadata
    from seclatch.recording.trace.trace import Trace

_POLL_INTERVAL = 0.02
_GRACE_SECONDS = 2.0
_LOGGING = ("docker", "podman")
_ENGINE_CLIENTS = ("docker", "podman", "ctr", "nerdctl", "crictl")


def record_command(command: tuple[str, ...], options: RecordOptions) -> tuple[int, Recording]:
    """Run the command and return its exit status (128+N for signal N) and the recording.

    The recording ends with the last process that comes from the command; at a signal (SIGINT,
    SIGTERM, SIGHUP) after the command has ended; or after `seconds`, in which case the command goes
    on unrecorded. Raises SeclatchError.
    """
    program = _find_program(command[0])
    with (
        contextlib.closing(select_backend(options.backend, command, options.sights)) as backend,
        _keep_child_status() as ignored,
    ):
        if backend.notice:
            options.notify(backend.notice)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED_SIGNALS)
        try:
            source = _Command(program, command, mask, options, ignored=ignored)
            with contextlib.closing(source.killer):
                recording = TraceRecorder(backend, source, options).record()
            if options.sights is None:  # else the explanation says it
                _warn_of_missing_container(recording, backend, source.daemons, options)
            return source.wait(backend), recording
        finally:
            if options.ready:
                options.ready.close()
            restore_signals(mask, options)


def _warn_of_missing_container(
    recording: Recording, backend: RecordingBackend, daemons: int, options: RecordOptions
) -> None:
    from seclatch.recording.client_only_warning import explain_missing_container

    if absence := explain_missing_container(recording, backend, daemons):
        options.notify(absence)


@contextlib.contextmanager
def _keep_child_status() -> Iterator[bool]:
    """Set SIGCHLD to its default while recording, and yield whether it was ignored.

    While SIGCHLD is ignored the kernel discards the status of children (wait(2)), the command's
    too. Only the main thread can change a disposition.
    """
    ignored = signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
    if not ignored or current_thread() is not main_thread():
        yield False
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield True
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def _find_program(name: str) -> str:
    """Find a program as execvp(3) does; importing shutil takes longer than loading the programs."""
    for folder in [""] if "/" in name else os.get_exec_path():
        path = os.path.join(folder, name)  # noqa: PTH118 (as the command is to see it)
        if os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112
            return path
    there = os.path.exists(name)  # noqa: PTH110 (an argument, perhaps not a path)
    raise SeclatchError(
        f"cannot run {name}: {'not executable' if there else 'not found'}",
        status=126 if there else 127,
    )


def _calls_engine(command: tuple[str, ...]) -> bool:
    """Return whether a word of the command is a client of an engine, also behind `sudo`."""
    return any(word.rpartition("/")[2] in _ENGINE_CLIENTS for word in command)


class _Command:
    """A command that is started here, and what daemons do for it."""

    def __init__(
        self,
        program: str,
        command: tuple[str, ...],
        mask: set[signal.Signals] | set[int],
        options: RecordOptions,
        *,
        ignored: bool,
    ) -> None:
        self._program = program
        self._command = command
        self._mask = mask
        self._ready = options.ready
        self._prepare = options.prepare
        self.killer = ProcessKiller()
        self._ignores_children = ignored
        self._pid = 0
        self.daemons = 0
        self._status: int | None = None
        self._ended = 0.0
        self._explained = False
        self._abandoned = False
        self._stop_requests = 0

    def start(self, backend: RecordingBackend) -> None:
        """Follow the running daemons, then start the command."""
        self.daemons = backend.follow_daemons()
        if self.daemons or _calls_engine(self._command):
            # Connections, images and profiles are lost with the processes that have them: on a
            # busy machine these imports, some 20 ms, took longer than a short container.
            self._load_attribution()
        if self.daemons and any(word.rpartition("/")[2] == "docker" for word in self._command):
            from seclatch.recording.attribution.image_lookup import find_named_containers

            backend.trace.named_containers = find_named_containers(self._command)
        if self._ready:
            client = self._attribution.images.client
            self._ready.begin(client=client is not None and client.kind in _LOGGING)
        reading, writing = os.pipe()
        try:
            self._pid = os.fork()
        except OSError as error:
            raise SeclatchError(
                f"starting {self._program}: {error.strerror}",
                remedy="raise the limit on processes (ulimit -u, pids.max, TasksMax) or end some",
            ) from error
        if self._pid == 0:
            self._exec_command(backend, writing)
        os.close(writing)
        backend.follow_child(self._pid, self._program)
        with os.fdopen(reading, "rb") as pipe:
            failure = pipe.read(8)
        if failure:
            os.waitpid(self._pid, 0)
            number = int(failure)
            raise SeclatchError(
                f"cannot run {self._program}: {os.strerror(number)}",
                status=127 if number == errno.ENOENT else 126,
            )
        self._load_attribution()

    def _exec_command(self, backend: RecordingBackend, pipe: int) -> None:
        """In the child: wait to be followed, then exec the command. Does not return."""
        try:
            # Python sets these to be ignored when it starts.
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            if self._ignores_children:
                signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            if self._ready:
                self._ready.enter_child()
            self._prepare()
            backend.await_go()
            os.execv(self._program, self._command)  # noqa: S606 (the user's command)
        except OSError as error:
            os.write(pipe, b"%d" % (error.errno or errno.EIO))
        finally:
            os._exit(127)

    def _load_attribution(self) -> None:
        """Import it; the loop that reads what processes leave must not wait for that."""
        _ = self._attribution

    @cached_property
    def _attribution(self) -> CommandAttribution:
        from seclatch.recording.command_attribution import CommandAttribution

        return CommandAttribution(self._command, daemons=self.daemons > 0)

    def update(self, trace: Trace, options: RecordOptions) -> None:
        """Look up images, profiles and connections; warn when only descendants go on."""
        self._attribution.update(trace, options)
        if options.kill_on_repeat and self._stop_requests > 1:
            self._kill_all(trace)
        ended = self._status is not None and time.monotonic() - self._ended > _GRACE_SECONDS
        if ended and options.until_command_ends:
            self._abandoned = True
        elif ended and not self._explained:
            self._explained = True
            options.notify(
                "the command has ended; the processes that it started are still recorded: ctrl-C "
                "ends the recording"
            )

    def _reap(self, backend: RecordingBackend) -> None:
        status = backend.poll(self._pid)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            self._status = code if code >= 0 else 128 - code
            self._ended = time.monotonic()

    def wait(self, backend: RecordingBackend) -> int:
        """Wait for the command, pass signals on to it, and return its exit status."""
        while True:
            if self._status is None:
                self._reap(backend)
            if self._status is not None:
                return self._status
            info = backend.wait(_POLL_INTERVAL, BLOCKED_SIGNALS)
            if info and info.si_signo in STOP_SIGNALS:
                self.handle_signal(info.si_signo, info.si_pid)

    def is_pending(self, backend: RecordingBackend) -> bool:
        """Return whether the command still runs: it may not have started anything known yet."""
        if self._status is None:
            self._reap(backend)
        return self._status is None

    def find_living(self, trace: Trace) -> set[int]:
        """Return the living processes that come from the command, without the daemons."""
        if self._abandoned:
            return set()
        living = trace.living
        if self.daemons:
            from seclatch.recording.attribution.attribution import find_related

            daemons = {process for process in living if trace.processes[process].found_running}
            living = (living & find_related(trace)) - daemons
        return living

    def handle_signal(self, signal_: int, sender: int) -> bool:
        """Pass a signal on to the command; if that has ended, end the recording.

        A signal of the terminal (`sender` 0) has reached the command by itself.
        """
        if self._status is not None:
            return True
        self._stop_requests += 1
        if sender:
            os.kill(self._pid, signal_)
        return False

    def _kill_all(self, trace: Trace) -> None:
        """Kill what is left: under some filters a runtime waits for ever, or spins."""
        self.killer.kill(trace, self.find_living(trace))

    def select_related(self, trace: Trace) -> Trace:
        """Return the trace without what daemons did for other clients."""
        from seclatch.recording.attribution.attribution import drop_unrelated

        return drop_unrelated(trace)

    def list_containers(self, trace: Trace) -> tuple[EngineContainer, ...]:
        """Return the containers that the engine's client has started."""
        return self._attribution.list_containers(trace)

    def describe_run(
        self, started: datetime, began: int, ended: int, complete: bool
    ) -> RunMetadata:
        """Return the metadata: the command, its containers' images and profiles."""
        from seclatch.recording.trace.run_metadata import RunMetadata

        images = self._attribution.images.finish() if complete else {}
        profiles = self._attribution.profiles.profiles
        return RunMetadata(
            self._command,
            started,
            began,
            ended,
            complete,
            images,
            profiles=profiles,
            pods=self._attribution.profiles.pods,
        )
