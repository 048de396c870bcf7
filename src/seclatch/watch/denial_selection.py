"""Select denials by process, container, image or unit."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass

from seclatch.model.denial_log import LoggedContainer, LoggedDenial
from seclatch.model.pod import PodSelector

_MIN_ID_LENGTH = 3


@dataclass(frozen=True, slots=True)
class DenialPlace:
    """What a denial is selected by."""

    pid: int
    container: LoggedContainer | None
    unit: str


@dataclass(frozen=True, slots=True)
class DenialSelection:
    """A denial must match each criterion that is given, by one of its values.

    `containers`: name, id or the beginning of one (3 characters at least); one that is not trusted
    matches by its whole id alone. `pods`: those of Kubernetes. `images` and `units` may have `*`
    and `?`; an image matches without its tag, a unit without `.service`.
    """

    pids: tuple[int, ...] = ()
    containers: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    pods: tuple[PodSelector, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Return whether no criterion is given."""
        return not (self.pids or self.containers or self.images or self.units or self.pods)

    def matches(self, denial: LoggedDenial | DenialPlace) -> bool:
        """Return whether a denial is selected."""
        one = denial.container
        return (
            (not self.pids or denial.pid in self.pids)
            and (not self.containers or any(_is_container(one, name) for name in self.containers))
            and (not self.pods or any(_is_in_pod(one, pod) for pod in self.pods))
            and (not self.images or any(_has_image(one, name) for name in self.images))
            and (not self.units or any(_is_unit(denial.unit, name) for name in self.units))
        )

    def words(self) -> list[str]:
        """Return the criteria as options of the command."""
        return list(self._list_words())

    def _list_words(self) -> Iterator[str]:
        yield from (f"--pid={pid}" for pid in self.pids)
        yield from (f"--container={name}" for name in self.containers)
        yield from (f"--pod={pod}" for pod in self.pods)
        yield from (f"--image={name}" for name in self.images)
        yield from (f"--unit={name}" for name in self.units)


def _is_container(one: LoggedContainer | None, wanted: str) -> bool:
    if one is None:
        return False
    if wanted == one.id or not one.trusted:
        return wanted == one.id
    if wanted == one.name:
        return True
    return len(wanted) >= _MIN_ID_LENGTH and one.id.startswith(wanted)


def _is_in_pod(one: LoggedContainer | None, wanted: PodSelector) -> bool:
    if one is None or not one.trusted:
        return False
    return wanted.matches(one.namespace, one.pod, one.name)


def _has_image(one: LoggedContainer | None, wanted: str) -> bool:
    if one is None or not one.image or not one.trusted:
        return False
    folder, slash, last = one.image.rpartition("/")
    untagged = folder + slash + last.partition("@")[0].partition(":")[0]
    return any(fnmatch.fnmatchcase(image, wanted) for image in (one.image, untagged))


def _is_unit(unit: str, wanted: str) -> bool:
    names = (unit, unit.removesuffix(".service"))
    return bool(unit) and any(fnmatch.fnmatchcase(name, wanted) for name in names)
