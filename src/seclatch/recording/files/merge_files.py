"""Merge recording files into one recording for each image and container name, in parts.

The parts are merged on all processors.

Merging is associative, so the order of the parts does not matter.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from seclatch.errors import InputError
from seclatch.model.recording.merge_recordings import (
    ContainerGroup,
    identify_containers,
    merge_recordings,
)
from seclatch.model.recording.recording import Recording
from seclatch.model.recording.recording_sums import RecordingSums
from seclatch.recording.files import recording_file
from seclatch.recording.files.select_recordings import without_sessions
from seclatch.system import gc_pause

_PART_SIZE = 250
"""Files in a part, which takes some tenths of a second."""

ByContainer = dict[ContainerGroup, Recording]


def merge_files(
    paths: tuple[Path, ...],
    report_progress: Callable[[int], None] = lambda _: None,
    *,
    sessions: bool = True,
    names: bool = True,
) -> ByContainer:
    """Merge files by image and container name (`names`), with exec sessions or without.

    `report_progress` is called with the number of files done so far. Raises InputError for the
    first that cannot be read.
    """
    parts = list(_split(paths))
    if len(parts) == 1:
        return _merge_part(parts[0], sessions, names)
    whole: ByContainer = {}
    done = 0
    with ProcessPoolExecutor(min(len(parts), os.cpu_count() or 1)) as pool:
        merged = pool.map(partial(_merge_in_worker, sessions=sessions, names=names), parts)
        for part, found in zip(parts, merged, strict=True):
            if isinstance(found, _Unreadable):
                pool.shutdown(cancel_futures=True)
                raise InputError(found.source, found.place, found.problem, remedy=found.remedy)
            whole = _merge_two(whole, found)
            done += len(part)
            report_progress(done)
    return whole


def _split(paths: tuple[Path, ...]) -> Iterator[tuple[Path, ...]]:
    rest = iter(paths)
    yield from iter(partial(_take_part, rest), ())


def _take_part(rest: Iterator[Path]) -> tuple[Path, ...]:
    return tuple(islice(rest, _PART_SIZE))


class _Unreadable(NamedTuple):
    """The fields of an InputError, which cannot be pickled itself."""

    source: str
    place: str
    problem: str
    remedy: str


def _merge_in_worker(
    paths: tuple[Path, ...], sessions: bool, names: bool
) -> ByContainer | _Unreadable:
    try:
        return _merge_part(paths, sessions, names)
    except InputError as error:
        return _Unreadable(error.source, error.place, error.problem, error.remedy)


@gc_pause.pause_gc()
def _merge_part(paths: tuple[Path, ...], sessions: bool, names: bool) -> ByContainer:
    found: dict[ContainerGroup, list[RecordingSums]] = {}
    for path in paths:
        sums = recording_file.read_sums(path)
        if not sessions:
            sums = without_sessions(path, sums)
        group = identify_containers(sums)
        found.setdefault(group if names else ContainerGroup(group.images), []).append(sums)
    return {group: merge_recordings(several) for group, several in found.items()}


def _merge_two(one: ByContainer, other: ByContainer) -> ByContainer:
    merged = dict(one)
    for group, recording in other.items():
        merged[group] = (
            merge_recordings([merged[group], recording]) if group in merged else recording
        )
    return merged
