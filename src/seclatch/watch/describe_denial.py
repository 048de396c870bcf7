"""Describe a denial: a line of the log, from what a source saw of it."""

from __future__ import annotations

import msgspec

from seclatch.diagnose.denials.argument_text import show_arguments
from seclatch.model.denial_log import LoggedContainer, LoggedDenial, LoggedHost
from seclatch.model.errno import name_errno
from seclatch.model.seen_denial import CallDetails, SeenDenial, SeenProcess
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.process.containers.known_container import KnownContainer
from seclatch.watch.answering_filter import AnswerFinder, TightenedFilters, describe_filter
from seclatch.watch.denial_selection import DenialPlace
from seclatch.watch.host_identity import format_time, identify_host
from seclatch.watch.known_profiles import KnownProfiles
from seclatch.watch.process_contexts import DeniedProcesses

_MAX_NOTED = 100
_MAX_NAME = 256
_MAX_PATH = 4096
_RETURNS = ("errno", "trace", "notify")


class DenialDescriber:
    """Makes lines of denials, with what it remembers of processes, containers and filters."""

    def __init__(self, contexts: DeniedProcesses, profiles: KnownProfiles) -> None:
        self.host: LoggedHost = identify_host()
        self._contexts = contexts
        self._profiles = profiles
        self._answers = AnswerFinder()
        self._tightened = TightenedFilters()
        self._noted: set[str] = set()

    def begin_epoch(self) -> None:
        """Give the next denials time for what takes long."""
        self._profiles.begin_epoch()
        self._answers.begin_epoch()
        self._tightened.begin_epoch()

    def take_undecided(self) -> int:
        """Return how many calls were perhaps denied, which there was no time to find out."""
        return self._answers.take_undecided()

    def locate(self, denial: SeenDenial) -> DenialPlace:
        """Return what a denial is selected by."""
        context = self._contexts.find(denial.process, denial.details)
        place = _describe_container(context.container)
        return DenialPlace(denial.process.pid, place, _cut(context.unit, _MAX_NAME))

    def notice(self, process: SeenProcess, details: CallDetails | None) -> None:
        """Look a process up before it may be gone."""
        self._contexts.find(process, details)

    def take_notes(self) -> list[str]:
        """Return what could not be found out, each once."""
        new = [note for note in self._contexts.notes if note not in self._noted]
        self._contexts.notes.clear()
        self._noted = {*list(self._noted)[-_MAX_NOTED:], *new}
        return list(dict.fromkeys(new))

    def describe(self, denial: SeenDenial) -> LoggedDenial | None:
        """Return the line of a denial; None if it was the kernel's own failure."""
        found = self._answers.find(denial)
        if found is None:
            return None
        details = denial.details
        context = self._contexts.find(denial.process, details)
        syscall = _find_syscall(denial)
        args = details.args if details else None
        text = details.text if details else ""
        answering = describe_filter(found, syscall, args or (), context, self._profiles)
        silent = found.answer not in _RETURNS or denial.source == "audit"
        return LoggedDenial(
            time=format_time(denial.first),
            until=format_time(denial.last),
            count=denial.count,
            host=self.host,
            container=_describe_container(context.container),
            unit=_cut(context.unit, _MAX_NAME),
            stage=self._contexts.find_stage(context, details),
            pid=denial.process.pid,
            tid=details.tid if details else denial.process.pid,
            uid=details.uid if details else context.uid,
            comm=_cut(details.comm if details else context.comm, _MAX_NAME),
            exe=_cut(self._contexts.find_exe(denial.process, details), _MAX_PATH),
            arch=denial.arch.title,
            syscall=syscall.name,
            number=denial.number,
            args=[hex(value) for value in args] if args is not None else None,
            arguments=show_arguments(syscall.name, args, text) if args is not None else [],
            answer=found.answer,
            errno="" if silent else name_errno(denial.error),
            filter=msgspec.structs.replace(
                answering, tightened=self._tightened.find(found, denial.process.pid)
            ),
            source="audit" if denial.source == "audit" else "ebpf",
        )


def _find_syscall(denial: SeenDenial) -> Syscall:
    return load_syscalls(denial.arch).at(denial.number)


def _describe_container(known: KnownContainer | None) -> LoggedContainer | None:
    if known is None:
        return None
    one = known.container
    if not known.trusted:
        return LoggedContainer(id=_cut(one.id, _MAX_NAME), trusted=False)
    return LoggedContainer(
        id=_cut(one.id, _MAX_NAME),
        name=_cut(one.name, _MAX_NAME),
        image=_cut(one.image, _MAX_NAME),
        engine=one.engine,
        pod=_cut(one.pod, _MAX_NAME),
        namespace=_cut(one.namespace, _MAX_NAME),
    )


def _cut(text: str, most: int) -> str:
    """Shorten a name that a container's configuration may have chosen."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
