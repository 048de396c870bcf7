"""What an explanation is worth: held against a scene, counted by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.explain.scenes.scene import VERDICTS, Scene

Grade = Literal["right", "hedged", "wrong", "cannot tell"]
GRADES: tuple[Grade, ...] = ("right", "hedged", "wrong", "cannot tell")
COLUMNS = ("certain and right", "hedged", "certain and wrong", "cannot tell")


# Causes that say what the kernel refused: false where a scene expects `other`.
SPECIFIC = """
    missing-capability permissions lsm read-only cgroup missing-file not-executable no-space limit
"""


@dataclass(frozen=True)
class Judgement:
    """What one answer is worth.

    `named`: a right answer gives the scene's cause, too; None where none is asked for. `listed`:
    one of the scene's calls is among the denied ones.
    """

    scene: Scene
    verdict: bool | None
    grade: Grade
    named: bool | None
    listed: bool
    answer: str


def judge(scene: Scene, document: dict[str, Any]) -> Judgement:
    """Hold one explanation (`seclatch explain --json`) against its scene.

    right: the verdict is the scene's, and where it is seccomp, a call that it says something ended
    over is among the scene's. wrong: a certain verdict that is not. hedged: none, but seccomp is
    said to be possible (`possibly-denied`). cannot tell: none. Where nothing decides it, that is
    right, hedged or not, and a certain answer is wrong.
    """
    fatal = {one["syscall"] for one in document["denials"] if one["fatal"]}
    denied = {one["syscall"] for one in document["denials"]}
    calls = set(scene.calls or scene.deny)
    answer = f"{document['cause']}: {document['summary']}"
    if confirmation := document.get("confirmation"):
        tried = [f"{each['allowed']} {each['end']}" for each in confirmation["runs"]]
        answer += f" [{confirmation['seccomp']}; {', '.join(tried)}; {confirmation['reason']}]"
    grade = _grade(scene, document, fatal & calls)
    named = None
    if grade == "right" and scene.cause:
        named = names_cause(scene, document["cause"])
    return Judgement(scene, document["seccomp"], grade, named, bool(denied & calls), answer)


def names_cause(scene: Scene, cause: str) -> bool:
    """Say whether a cause is one of the scene's (`a or b`)."""
    expected = scene.cause.split(" or ")
    return cause in expected or ("other" in expected and cause not in SPECIFIC.split())


def _grade(scene: Scene, document: dict[str, Any], hit: set[str]) -> Grade:
    verdict = document["seccomp"]
    if scene.verdict is None:
        return "right" if verdict is None else "wrong"
    if verdict is None:
        return "hedged" if document["cause"] == "possibly-denied" else "cannot tell"
    if verdict is not scene.verdict:
        return "wrong"
    return "right" if not verdict or hit else "wrong"


@dataclass
class Score:
    """The judgements of a corpus."""

    judgements: list[Judgement] = field(default_factory=list)

    def rows(self) -> Iterator[str]:
        """Yield the table of classes, as Markdown, and precision and recall of "seccomp"."""
        yield f"| class | scenes | {' | '.join(COLUMNS)} | right, and its cause |"
        yield "|---|---|---|---|---|---|---|"
        for kind in VERDICTS:
            mine = [each for each in self.judgements if each.scene.kind == kind]
            if mine:
                yield _row(kind, mine)
        decided = [each for each in self.judgements if each.scene.verdict is not None]
        yield _row("all that can be decided", decided)
        yield ""
        for name, verdict in (("seccomp", True), ("not seccomp", False)):
            yield f"{name}: {_precision_and_recall(decided, verdict)}"
        asked = [each for each in decided if each.scene.verdict]
        listed = sum(each.listed for each in asked)
        yield f"the call is among the denied ones in {listed} of {len(asked)}"

    def unlike(self, grades: Iterable[Grade]) -> Iterator[str]:
        """Yield each answer of these grades."""
        for each in self.judgements:
            if each.grade in grades:
                yield f"{each.grade}: {each.scene.kind}: {each.scene.name}: {each.answer}"


def _row(kind: str, mine: list[Judgement]) -> str:
    counts = Counter(each.grade for each in mine)
    asked = [each.named for each in mine if each.named is not None]
    cells = [str(len(mine)), *(str(counts[grade]) for grade in GRADES)]
    return f"| {kind} | {' | '.join(cells)} | {sum(asked)} of {len(asked)} |"


def _precision_and_recall(decided: list[Judgement], verdict: bool) -> str:
    """Return both of one verdict; "seccomp" by another call than the scene's is given and wrong."""
    right = sum(each.grade == "right" and each.verdict is verdict for each in decided)
    given = sum(each.verdict is verdict for each in decided)
    wanted = sum(each.scene.verdict is verdict for each in decided)
    ratios = [f"{right / max(all_, 1):.3f} ({right} of {all_})" for all_ in (given, wanted)]
    return f"precision {ratios[0]}, recall {ratios[1]}"
