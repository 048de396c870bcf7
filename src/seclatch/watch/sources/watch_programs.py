"""Load and attach the kernel programs of `watch`, in the way that is asked for and possible.

What each way sees and costs: docs/decisions/0097-three-ways-to-see-denials.md.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import re
from dataclasses import dataclass
from enum import Enum

from seclatch.bpf.compiled_object import CompiledObject, import_object_of_machine
from seclatch.bpf.kernel_types import KernelTypes, find_kernel_types
from seclatch.bpf.object_loader import Loader
from seclatch.errors import SeclatchError
from seclatch.model.seen_denial import SeenAnswer
from seclatch.recording.backends.bpf.detail_events import make_path_arguments
from seclatch.recording.backends.bpf.loader import make_argument_specs
from seclatch.system import bpf

_DOING = "watching denials with eBPF"
_FLAGGED = (SeenAnswer.ERRNO, SeenAnswer.TRACE, SeenAnswer.NOTIFY)
_KILLS = (SeenAnswer.KILL_THREAD, SeenAnswer.KILL_PROCESS)
_FIRST_DEAD = (5, 17)
"""Earlier kernels end a thread within seccomp and leave no SECCOMP_MODE_DEAD: its log shows it."""


class WatchWay(Enum):
    """How denials are seen. The value is the word of `--way`.

    CHECK: at the end of the kernel's check, filtered calls pay. CALLS: by the tracepoints of system
    calls, every task pays. DENIALS: by what seccomp logs and signals, only denials pay.
    """

    CHECK = "check"
    CALLS = "calls"
    DENIALS = "denials"


@dataclass(frozen=True, slots=True)
class WayPrograms:
    """The programs of a way, in the order in which they are attached."""

    programs: tuple[str, ...]
    optional: tuple[str, ...]


# Entries before exits: an exit that is seen before entries are would be taken for a denial.
_WAYS = {
    WatchWay.CHECK: WayPrograms(("end_thread", "end_check"), ("log_call",)),
    WatchWay.CALLS: WayPrograms(("end_thread", "enter_call", "leave_call"), ("log_call",)),
    WatchWay.DENIALS: WayPrograms(("end_thread", "send_signal"), ("log_call",)),
}


class WatchPrograms:
    """Maps and attached programs; closing, or the end of this process, detaches everything.

    `logs`: whether `log_call` is attached, which sees what seccomp logs.
    """

    def __init__(self, found: CompiledObject, types: KernelTypes, way: WatchWay) -> None:
        self.way = way
        self.logs = False
        self._links: list[int] = []
        self._loader = Loader(found, types, _make_constants(way))
        try:
            self.globals = self._loader.use(".bss").map_memory(size=mmap.PAGESIZE)
            self._attach_all(_WAYS[way])
        except BaseException:
            self.close()
            raise

    def map(self, name: str) -> bpf.Map:
        """Find a map by its name in native/bpf/watch.h."""
        return self._loader.use(name)

    def find_watcher(self) -> int:
        """Return the place of `watcher` in `globals`."""
        return self._loader.find_global("watcher")

    def close(self) -> None:
        """Detach all programs and close all maps."""
        for link in self._links:
            with contextlib.suppress(OSError):
                os.close(link)
        self._links = []
        self._loader.close()

    def _attach_all(self, wanted: WayPrograms) -> None:
        registration = self._loader.load("find_watcher")
        try:
            bpf.run_here(registration)
        finally:
            os.close(registration)
        for name in wanted.optional:
            with contextlib.suppress(OSError, bpf.VerifierError):
                self._attach(name)
                self.logs = True
        for name in wanted.programs:
            self._attach(name)

    def _attach(self, name: str) -> None:
        program = self._loader.load(name)
        try:
            self._links.append(bpf.attach(program))
        finally:
            os.close(program)


def load_programs(way: WatchWay | None) -> WatchPrograms:
    """Load the programs; without a way, CHECK where the kernel takes it, else CALLS.

    Raises SeclatchError: what is missing, and what to do.
    """
    found = import_object_of_machine("watch", _DOING)
    types = find_kernel_types(found.questions(), _DOING)
    bpf.raise_locked_memory()
    if way is None:
        with contextlib.suppress(OSError, bpf.VerifierError):
            return WatchPrograms(found, types, WatchWay.CHECK)
    chosen = way or WatchWay.CALLS
    try:
        return WatchPrograms(found, types, chosen)
    except OSError as error:
        raise _explain_error(error, chosen) from error
    except bpf.VerifierError as error:
        last = " / ".join(error.log.strip().splitlines()[-3:])
        raise SeclatchError(
            f"{_DOING}: the kernel refused the {error}: {last}",
            remedy=f"it takes Linux 5.15 or newer, this is {os.uname().release}",
        ) from error


def list_audited(way: WatchWay, release: str) -> tuple[SeenAnswer, ...]:
    """List the answers that are taken from what seccomp logs, by `log_call` or audit lines."""
    match = re.match(r"(\d+)\.(\d+)", release)
    old = match is not None and (int(match[1]), int(match[2])) < _FIRST_DEAD
    flagged = _FLAGGED if way is WatchWay.DENIALS else ()
    return (SeenAnswer.LOG, *flagged, *(_KILLS if old else ()))


def _make_constants(way: WatchWay) -> dict[str, bytes]:
    mask = sum(1 << answer for answer in list_audited(way, os.uname().release))
    return {
        "value_arguments": make_argument_specs(),
        "path_arguments": make_path_arguments(),
        "audited": mask.to_bytes(4, "little"),
    }


def _explain_error(error: OSError, way: WatchWay) -> SeclatchError:
    what = f"{_DOING} ({way.value}): bpf(2): {error.strerror}"
    if error.errno != errno.EPERM:
        return SeclatchError(
            what,
            remedy="it takes Linux 5.15 or newer with CONFIG_BPF_SYSCALL=y and "
            f"CONFIG_BPF_EVENTS=y; this is {os.uname().release}",
        )
    remedy = "it takes CAP_BPF and CAP_PERFMON: run it as root on the host"
    if way is WatchWay.CHECK and not os.geteuid():
        remedy = "this kernel lets no program trace its functions; take --way calls"
    return SeclatchError(what, remedy=remedy)
