"""Live processes and their seccomp filters."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from seclatch.model.pod import PodContainer, join_pod_names
from seclatch.model.stage import Stage


class SeccompMode(enum.IntEnum):
    """`Seccomp:` of /proc/PID/status. DEAD (Linux 5.17): its filter has just killed the thread."""

    NONE = 0
    STRICT = 1
    FILTER = 2
    DEAD = 3


class FilterCause(enum.Enum):
    """How a process came to be under a filter."""

    LOADED = "loaded"
    RUNTIME = "runtime"
    UNIT = "unit"
    TIGHTENED = "tightened"
    INHERITED = "inherited"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FilterOrigin:
    """Which process or unit loaded a filter.

    LOADED: this process itself. RUNTIME: the container runtime, in this process before its exec.
    UNIT: systemd likewise, for the unit `name`. TIGHTENED: `seclatch tighten`, while this process
    ran; `name` is the time. INHERITED: from `pid` (`name`), its oldest ancestor
    that has it. ENDED: from an ancestor that has exited. `certain`: seen in the kernel (it is the
    same filter; for UNIT, the very program that systemd loads for a setting of that unit), and not
    only concluded from the numbers of filters.
    """

    cause: FilterCause
    pid: int = 0
    name: str = ""
    certain: bool = True

    @property
    def by(self) -> str:
        """Return the origin in a word or two."""
        return self._perhaps + self._who

    def __str__(self) -> str:
        inherited = self.cause in (FilterCause.INHERITED, FilterCause.ENDED)
        return f"{self._perhaps}{'inherited from' if inherited else 'loaded by'} {self._who}"

    @property
    def _perhaps(self) -> str:
        return "" if self.certain else "perhaps "

    @property
    def _who(self) -> str:
        return {
            FilterCause.LOADED: "itself",
            FilterCause.RUNTIME: "its runtime",
            FilterCause.UNIT: f"systemd for {self.name}",
            FilterCause.TIGHTENED: f"seclatch tighten {self.name}",
            FilterCause.INHERITED: f"{self.pid} ({self.name})",
            FilterCause.ENDED: "an ended process",
            FilterCause.UNKNOWN: "an unknown process",
        }[self.cause]


@dataclass(frozen=True, slots=True)
class FilterLayer:
    """One filter of a stack.

    `fingerprint` is the same for the same program, "" if it was not read. `profile` names a known
    profile that compiles to it, "" if none does.
    """

    fingerprint: str
    instructions: int
    origin: FilterOrigin
    profile: str = ""


@dataclass(frozen=True, slots=True)
class LiveThread:
    """The filters of one thread.

    `layers`: the newest filter first; fewer than `filters` where they could not be read.
    """

    tid: int
    comm: str
    mode: int
    filters: int
    no_new_privs: bool
    layers: tuple[FilterLayer, ...] = ()

    def differs(self, other: LiveThread) -> bool:
        """Return whether the other thread has other filters, mode or no_new_privs."""
        return self._bound() != other._bound()

    def _bound(self) -> tuple[object, ...]:
        prints = tuple(layer.fingerprint for layer in self.layers)
        return self.mode, self.filters, self.no_new_privs, prints


@dataclass(frozen=True, slots=True)
class LiveContainer:
    """A container: its id; the rest is "" if unknown.

    `pod` and its `namespace` are those of Kubernetes; the sandbox of a pod has no name. `claimed`:
    they are known only from annotations, which the pod's author may choose.
    """

    id: str
    name: str = ""
    image: str = ""
    engine: str = ""
    pod: str = ""
    namespace: str = ""
    claimed: bool = False

    @property
    def title(self) -> str:
        """Return NAMESPACE/POD/CONTAINER in a pod, else the name; "" without one."""
        return join_pod_names(self.namespace, self.pod, self.name) or self.name

    @property
    def pod_names(self) -> PodContainer | None:
        """Return its names in Kubernetes; None outside of pods."""
        if not self.pod:
            return None
        return PodContainer(
            namespace=self.namespace, pod=self.pod, container=self.name, claimed=self.claimed
        )


@dataclass(frozen=True, slots=True)
class LiveProcess:
    """A process: `main` is its first thread, `threads` the others that were requested or differ.

    `argv` is empty for zombies and where it was not read; `state` is the letter of
    /proc/PID/status.
    """

    pid: int
    parent: int
    uid: int
    state: str
    argv: tuple[str, ...]
    main: LiveThread
    threads: tuple[LiveThread, ...] = ()
    stage: Stage | None = None
    container: LiveContainer | None = None

    @property
    def command(self) -> str:
        """Return the command line, or the name in brackets where there is none."""
        return " ".join(self.argv) if any(self.argv) else f"[{self.main.comm}]"

    @property
    def filtered(self) -> bool:
        """Return whether any of its threads is under seccomp."""
        return any(thread.mode for thread in (self.main, *self.threads))
