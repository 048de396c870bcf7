"""How good `seclatch explain` is on scenes of real programs (tests/explain/scenes).

`python -m bench explain --corpus dev` (or `second`, `third`) explains scenes that may be read while
`diagnose/` is changed, `--corpus blind` (or `second-blind`, `third-blind`, `fourth-blind`) those
that may not: of these it prints counts alone, unless `--answers`. As users have it, `explain` runs
them again by itself (`--confirm auto`); `--confirm never` has the rules alone. Scenes that one run
cannot decide are left out unless there is only one, since more runs may.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.explain.scenes.judge_answer import GRADES, Judgement, Score, judge
from tests.explain.scenes.scene import READ, Part, Scene, load_scenes
from tests.explain.scenes.start_scenes import SceneStarts
from tests.latch.oci import CGROUP2_ONLY, SCRIPTS

SECLATCH = str(SCRIPTS / "seclatch")
TIMEOUT = 240


def report(part: Part, options: argparse.Namespace) -> None:
    """Explain every scene of a part, print the table, and what was not right."""
    scenes = [
        scene
        for scene in load_scenes(part)
        if options.engine in ("", scene.engine)
        and options.only in scene.name
        and (scene.verdict is not None or options.confirm == "never")
    ]
    score = Score(list(judge_scenes(scenes, options.workers, confirm=options.confirm)))
    for line in score.rows():
        print(line)
    if options.answers or part in READ:
        grades = GRADES if options.answers else GRADES[1:]
        print("\n".join(score.unlike(grades)))


def judge_scenes(
    scenes: Sequence[Scene], workers: int, *, confirm: str = "auto"
) -> Iterator[Judgement]:
    """Yield what each scene's explanation is worth."""
    with tempfile.TemporaryDirectory(prefix="seclatch-scenes-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        with SceneStarts(place) as starts, ThreadPoolExecutor(workers) as pool:

            def judged(numbered: tuple[int, Scene]) -> Judgement:
                number, scene = numbered
                file = place / f"why{number}.json"
                with starts.start(scene) as words:
                    return judge(scene, explain(words, file, confirm=confirm))

            yield from pool.map(judged, enumerate(scenes))


def explain(words: list[str], file: Path, *, confirm: str = "auto") -> dict[str, Any]:
    """Explain one command; what gives no explanation in time explains nothing."""
    options = ["--confirm", confirm, "--json", "-o", str(file)]
    before, given = split_environment(words)
    command = [*before, SECLATCH, "explain", *options, "--", *given]
    try:
        subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=TIMEOUT
        )
        document: dict[str, Any] = json.loads(file.read_text())
    except (subprocess.TimeoutExpired, FileNotFoundError) as error:
        return {"seccomp": None, "cause": "no-answer", "summary": str(error), "denials": []}
    finally:
        file.unlink(missing_ok=True)
    return document


def split_environment(words: list[str]) -> tuple[list[str], list[str]]:
    """Split what makes this host fit for a runtime (`tests.latch.oci.CGROUP2_ONLY`) from it.

    A user's host is fit: there `explain` comes before the runtime alone.
    """
    if CGROUP2_ONLY not in words:
        return [], words
    at = words.index(CGROUP2_ONLY) + len(["sh"]) + 1
    return words[:at], words[at:]
