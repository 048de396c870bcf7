"""A server under test: how it starts, a short training run, and a wide workload of named steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.profiles.container import Container

Action = Callable[[Container], object]


@dataclass(frozen=True)
class Step:
    """One thing that a user or operator does. It fails by raising any exception.

    `executes`: programs that the step has a process of the container execute. Where a training run
    did not execute them, a failure of this step is counted apart.
    """

    name: str
    action: Action
    executes: tuple[str, ...] = ()


def step(action: Action) -> Step:
    """Make a step of a function, named after it."""
    return Step(action.__name__.replace("_", " ").strip(), action)


def executing(*programs: str) -> Callable[[Action], Step]:
    """Make a step that has a process of the container execute these programs."""

    def make(action: Action) -> Step:
        return Step(step(action).name, action, programs)

    return make


@dataclass(frozen=True)
class Workload:
    """`argv`, with {port} and {port2}, is the container's command; `user` its uid and gid.

    `scanned`: the programs that `seclatch scan` is given, as the container's documentation would
    name them: the server, its entry script's, its health check's; `plugins` are the modules that
    the container's configuration loads, which is not in the image. `verify` is run under no profile
    after the wide workload: whether the data has survived it.
    """

    name: str
    packages: tuple[str, ...]
    argv: tuple[str, ...]
    scanned: tuple[str, ...]
    prepare: Action
    ready: Action
    training: tuple[Step, ...]
    wide: tuple[Step, ...]
    plugins: tuple[str, ...] = ()
    user: int = 0
    stop: str = "TERM"
    verify: Action = lambda _: None
    held_out: bool = False
