"""The target of a scan: a program, and how it is run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScanTarget:
    """An executable in the root directory, and how it is run.

    `environment` is the image's; `named` is the path by which it was named, links not followed;
    `directory` the working directory. `unknown`: what would have to be known to list its libraries.
    """

    path: str
    because: str
    environment: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    named: str = ""
    directory: str = "/"
    unknown: tuple[str, ...] = ()

    def values(self, *options: str) -> list[str]:
        """Return the values of these options: the next word, or the same (`-cFILE`, `--a=b`)."""
        found: list[str] = []
        words = iter(self.arguments)
        for word in words:
            option = next((known for known in options if word.startswith(known)), None)
            if option is None:
                continue
            glued = word.removeprefix(option).removeprefix("=")
            found.append(glued if word != option else next(words, ""))
        return found

    def variables(self, *names: str) -> Iterable[str]:
        """Yield the paths in these variables of the environment, in order."""
        for name, value in self.environment:
            if name in names:
                yield from (path for path in re.split("[:;]", value) if path.startswith("/"))
