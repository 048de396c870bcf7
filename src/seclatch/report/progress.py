"""What `seclatch record` says while it records, and at the end."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.recording import Calls, Denial, Recording


class Follower:
    """Tells of each call of each stage when it is seen for the first time."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str, str]] = set()

    def news(self, recording: Recording) -> Iterator[str]:
        """Give a line for each call, and each denied one, that was not there before.

        The stage is as it looks by now: before a filter or an exec tells, init is a client's.
        """
        made: list[Calls | Denial] = [*recording.calls, *recording.denials]
        for each in made:
            verdict = "denied" if isinstance(each, Denial) else ""
            name = each.name or f"#{each.number}"
            key = (each.stage, name, verdict)
            if key not in self._seen:
                self._seen.add(key)
                yield f"{each.stage:<14} {name} {verdict}".rstrip()


def describe(recording: Recording, path: str) -> Iterator[str]:
    """Sum a recording up, a sentence each; what is missing from it is never left out."""
    calls = sum(each.count for each in recording.calls)
    denied = sum(each.count for each in recording.denials)
    yield (
        f"recorded {calls:,} calls of {len(recording.processes):,} processes"
        + (f", {denied:,} denied" if denied else "")
        + f", in {path}"
    )
    lost = recording.lost
    if lost.events or lost.processes or lost.calls:
        yield (
            f"not everything: {lost.calls:,} calls cannot be told whose, {lost.processes:,} "
            f"processes not kept apart, {lost.events:,} events lost"
        )
    if lost.arguments:
        yield f"{lost.arguments:,} arguments were not kept"
