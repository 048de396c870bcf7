"""Choose the denials of one program out of recordings and logs of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from seclatch.errors import SeclatchError
from seclatch.model.recording.recording import Recording
from seclatch.model.recording.select_recording import has_container
from seclatch.profile.amend.denial_evidence import DenialEvidence, list_recorded_denials
from seclatch.profile.amend.denial_log_file import DenialLog, LoggedGroup

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class DenialSources:
    """Recordings by file name, and logs."""

    recordings: dict[str, Recording]
    logs: list[DenialLog]

    @property
    def names(self) -> list[str]:
        """Return the names of all files."""
        return [*self.recordings, *(log.source for log in self.logs)]


def select_container(sources: DenialSources, container: str | None, image: str | None) -> None:
    """Keep the groups of one container or image in the logs.

    Raises SeclatchError where there are none, with those that there are, and where none was asked
    for and the logs have denials of several programs.
    """
    if container is None and image is None:
        _require_one(sources)
        return

    def matches(group: LoggedGroup) -> bool:
        return _is_container(group, container) and image in (None, group.image)

    recorded = container is not None and any(
        has_container(recording, container) for recording in sources.recordings.values()
    )
    if not recorded and not any(matches(group) for log in sources.logs for group in log.groups):
        others = _list(_list_subjects(sources))
        wanted = f"of container {container}" if container else f"of image {image}"
        raise SeclatchError(
            f"no denial {wanted} in {', '.join(sources.names)}",
            remedy=f"there are denials of {others or 'no container at all'}",
            status=2,
        )
    for log in sources.logs:
        log.groups = [group for group in log.groups if matches(group)]


def _is_container(group: LoggedGroup, container: str | None) -> bool:
    return (
        container is None
        or group.seen.container == container
        or _is_prefix(container, group.container_id)
    )


def _is_prefix(word: str | None, number: str) -> bool:
    """Whether it is the beginning of an id, of 8 digits or more."""
    return bool(word) and len(word or "") >= 8 and number.startswith(word or "\0")


def _require_one(sources: DenialSources) -> None:
    """Require that all denials are of one image, or of one container where no image is known."""
    subjects = list(dict.fromkeys(_list_subjects(sources)))
    images = {group.image for log in sources.logs for group in log.groups}
    if len(subjects) > 1 and (len(images) > 1 or "" in images):
        raise SeclatchError(
            f"the log has denials of several programs: {_list(subjects)}",
            remedy="give --container NAME, or --image NAME, for those of this profile",
            status=2,
        )


def _list_subjects(sources: DenialSources) -> Iterator[str]:
    for log in sources.logs:
        for group in log.groups:
            if group.seen.runtime:
                continue
            if group.container_id:
                image = f" ({group.image})" if group.image else ""
                yield f"{group.seen.container[:64]}{image}"
            else:
                yield group.unit or group.seen.exe or "a process outside of containers"


def _list(names: Iterator[str] | Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    shown = ", ".join(distinct[:_SHOWN])
    more = f" and {len(distinct) - _SHOWN} more" if len(distinct) > _SHOWN else ""
    return shown + more


def list_denials(
    sources: DenialSources, without: Callable[[DenialEvidence], bool]
) -> Iterator[DenialEvidence]:
    """List the denials of all sources but those of `without`."""
    for name, recording in sources.recordings.items():
        yield from (each for each in list_recorded_denials(recording, name) if not without(each))
    for log in sources.logs:
        yield from (group.seen for group in log.groups if not without(group.seen))
