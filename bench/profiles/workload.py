"""A server under test: how it starts, a short training run, and a wide workload of named steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.profiles.container import Container

Action = Callable[[Container], object]


@dataclass(frozen=True)
class Step:
    """An action of a user or operator. It fails by raising any exception.

    `executes`: programs that the step makes a process of the container execute. If the training run
    did not execute them, a failure of this step is counted separately.
    """

    name: str
    action: Action
    executes: tuple[str, ...] = ()


def step(action: Action) -> Step:
    """Make a step of a function, named after it."""
    return Step(action.__name__.replace("_", " ").strip(), action)


def executing(*programs: str) -> Callable[[Action], Step]:
    """Make a step that makes a process of the container execute these programs."""

    def make(action: Action) -> Step:
        return Step(step(action).name, action, programs)

    return make


@dataclass(frozen=True)
class Workload:
    """A workload: `argv`, with {port} and {port2}, is the container's command.

    `user` is its uid and gid. `scanned`: the programs given to `seclatch scan`, as the container's
    documentation would name them: the server, those of its entry script and of its health check;
    `plugins` are the modules that the container's configuration loads, which is not in the image.
    `verify` runs without a profile after the wide workload: it checks that the data has survived.
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
