"""Is a scene what it claims? Found by running it with and without its profile, and by strace.

`seclatch explain` has no part in this. Where seccomp is to blame, the scene fails, a call that it
names is refused, and it succeeds without the profile (or with its cure). Where it is not, the
scene fails without the profile too, with the same status and the same last words; of a swallowed
denial strace saw the refusal.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.explain.scenes.scene import Scene

TIMEOUT = 60
# runc's own words about a program that is not there, and what differs from run to run.
_VARIABLE = re.compile(
    r"\b[0-9A-F]{12,}\b|0x[0-9a-f]+|[0-9]+|/tmp/[\w.-]+|seclatch-\S+|[0-9a-f]{64}"
)
_REFUSED = re.compile(r"\b(\w+)\(.*= -1 E")
# Of a call that a signal answers strace shows no result, or the register's.
_MADE = re.compile(r"\b(\w+)\(")
Start = Callable[[Scene], AbstractContextManager[list[str]]]


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    status: int
    output: str

    @property
    def last_words(self) -> str:
        """Return its last line, without what differs between two runs."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return _VARIABLE.sub("#", lines[-1]) if lines else ""


def run_scene(start: Start, scene: Scene, prefix: tuple[str, ...] = ()) -> Ending:
    """Run it once."""
    with start(scene) as words:
        return run_words([*prefix, *words])


def run_words(words: list[str]) -> Ending:
    """Run a command to its end, or kill it after a minute."""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as hung:
        return Ending(-signal.SIGKILL, (hung.stdout or b"").decode(errors="replace"))
    return Ending(done.returncode, done.stdout.decode(errors="replace"))


def refused_calls(start: Start, scene: Scene, place: Path) -> set[str]:
    """Return its calls that strace sees denied."""
    log = place / f"{scene.name}.strace"
    names = ",".join(f"?{call}" for call in (scene.calls or scene.deny))
    run_scene(start, scene, ("strace", "-f", "-qq", "-o", str(log), "-e", f"trace={names}"))
    text = log.read_text(errors="replace") if log.exists() else ""
    log.unlink(missing_ok=True)
    pattern = _REFUSED if scene.action == "SCMP_ACT_ERRNO" else _MADE
    return {found[1] for line in text.splitlines() if (found := pattern.search(line))}


def find_faults(start: Start, scene: Scene, place: Path) -> Iterator[str]:
    """Yield what is not as claimed."""
    given = run_scene(start, scene)
    if given.status in (0, -signal.SIGKILL):
        yield f"ends with {given.status}: {given.output[-300:]}"
    if scene.verdict is True:
        cured = run_scene(start, scene.cured())
        if cured.status:
            yield f"fails when cured, too ({cured.status}): {cured.output[-300:]}"
    else:
        yield from _same_without(start, scene, given)
    if needs_refusal(scene):
        refused = refused_calls(start, scene, place)
        if not refused & set(scene.calls or scene.deny):
            yield f"strace saw none of {scene.calls or scene.deny} refused: {given.output[-300:]}"


def _same_without(start: Start, scene: Scene, given: Ending) -> Iterator[str]:
    plain = run_scene(start, scene.unconfined())
    if scene.verdict is None:
        return
    if plain.status != given.status:
        yield (
            f"ends with {given.status} ({given.last_words}), without the profile with"
            f" {plain.status} ({plain.last_words})"
        )
    elif plain.last_words != given.last_words and not scene.silent:
        yield f"says {given.last_words!r}, without the profile {plain.last_words!r}"
    if scene.cure:
        cured = run_scene(start, scene.cured())
        if cured.status:
            yield f"fails when cured, too ({cured.status}): {cured.output[-300:]}"


def needs_refusal(scene: Scene) -> bool:
    """Return whether a denied call belongs to the claim, and strace can see it.

    It cannot under the latch (a process has one tracer), nor in processes that a daemon starts.
    """
    visible = scene.engine == "bundle" and not scene.runtime.startswith("seclatch-")
    return visible and scene.kind not in ("own-failure", "other")
