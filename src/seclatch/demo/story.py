"""The runs of the demo: what each shows, its commands, and how each of them must end."""

from __future__ import annotations

from typing import NamedTuple

from seclatch.demo.exit_program import EXIT_STATUS

FAILS = -1
"""In place of an exit status: any but 0. That of a failed start is the runtime's own."""

_STATUS = "grep Seccomp /proc/self/status"


class Step(NamedTuple):
    """Commands of seclatch (without its name) after one sentence, each with its exit status."""

    sentence: str
    commands: list[tuple[str, int]]


def list_steps(runtime: str) -> list[Step]:
    """Return the story for runc or crun."""
    run = f"run --runtime {runtime}" if runtime != "runc" else "run"
    return [
        Step(
            f"A strict profile without the latch: it binds {runtime} too, and nothing starts.",
            [
                ("profile example strict -o strict.json", 0),
                (f"{run} --plain --profile strict.json -- {_STATUS}", FAILS),
            ],
        ),
        Step(
            "The same profile with the latch: the program starts, and runs under the filter.",
            [(f"{run} --profile strict.json -- {_STATUS}", 0)],
        ),
        Step(
            "mkdir is not in the profile: the program is denied it.",
            [(f"{run} --profile strict.json -- mkdir /tmp/new", 1)],
        ),
        Step(
            f"One call allowed, and death for the rest: /exit42 only exits, with {EXIT_STATUS}.",
            [
                ("profile example exit-only -o exit-only.json", 0),
                (f"{run} --profile exit-only.json --rootfs root -- /exit42", EXIT_STATUS),
            ],
        ),
        Step(
            "Record what a program calls, make its profile, run the program under it.",
            [
                (f"record -o ls.json -- seclatch {run} -- ls -d /proc /tmp", 0),
                ("generate ls.json -o ls-profile.json", 0),
                (f"{run} --profile ls-profile.json -- ls -d /proc /tmp", 0),
            ],
        ),
    ]
