"""The one exception that reaches a user, with what to do about it."""

from __future__ import annotations


class SeclatchError(Exception):
    """What was being done and why it failed (`str(error)`), and what to do now (`remedy`).

    `status` is the exit status of the command: 125 as with `docker run` when the failure is ours
    and not the container's, 2 for a bad command line or bad input.
    """

    def __init__(self, message: str, *, remedy: str = "", status: int = 125) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.status = status


class InputError(SeclatchError):
    """Something the user gave cannot be read: names the file, the place in it and the rule."""

    def __init__(self, source: str, place: str, problem: str, *, remedy: str = "") -> None:
        where = f"{source}: {place}" if place else source
        super().__init__(f"{where}: {problem}", remedy=remedy, status=2)
        self.source = source
        self.place = place
        self.problem = problem
