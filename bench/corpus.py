"""How good `seclatch explain` is on scenes of real programs (tests/explain/scenes).

`python -m bench explain --corpus dev` (or `second`, `third`) explains scenes that may be read while
`diagnose/` is changed, `--corpus blind` (or `second-blind`, `third-blind`, `fourth-blind`) those
that may not: of these it prints counts alone, unless `--answers`. `--confirm`: with `seclatch
explain --confirm`; scenes that one run cannot decide are left out then, since more runs may.
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
from tests.latch.oci import SCRIPTS

SECLATCH = str(SCRIPTS / "seclatch")
TIMEOUT = 240


def report(part: Part, options: argparse.Namespace) -> None:
    """Explain every scene of a part, print the table, and what was not right."""
    scenes = [
        scene
        for scene in load_scenes(part)
        if options.engine in ("", scene.engine)
        and options.only in scene.name
        and (scene.verdict is not None or not options.confirm)
    ]
    score = Score(list(judge_scenes(scenes, options.workers, confirm=options.confirm)))
    for line in score.rows():
        print(line)
    if options.answers or part in READ:
        grades = GRADES if options.answers else GRADES[1:]
        print("\n".join(score.unlike(grades)))


def judge_scenes(
    scenes: Sequence[Scene], workers: int, *, confirm: bool = False
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


def explain(words: list[str], file: Path, *, confirm: bool = False) -> dict[str, Any]:
    """Explain one command; what gives no explanation in time explains nothing."""
    options = ["--confirm"] if confirm else []
    command = [SECLATCH, "explain", *options, "--json", "-o", str(file), "--", *words]
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
