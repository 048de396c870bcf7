"""Measure `seclatch explain` on broken set-ups of known cause: its accuracy and its cost."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import explaining
from tests.conftest import Compiler
from tests.engines.containerd import Containerd
from tests.engines.docker import Docker
from tests.engines.engine import Done, Engine
from tests.engines.host import ENVIRONMENT, PrivateHost
from tests.engines.image import make_archive
from tests.engines.image import make_rootfs as make_image_root
from tests.engines.podman import Podman
from tests.explain.corpus import Truth, all_setups, denying, find_mistakes, make_rootfs
from tests.latch.oci import SCRIPTS

SECLATCH = str(SCRIPTS / "seclatch")
ENGINE_CALLS = {
    ("runc", False): "capset",
    ("runc", True): "getdents64",
    ("crun", False): "setresuid",
    ("crun", True): "execve",
}


@dataclass
class Tally:
    """Correct answers, all answers given, and all that were expected, by question."""

    right: dict[str, int] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    setups: int = 0
    flawless: int = 0
    falsely_blamed: int = 0

    def add(self, name: str, document: dict[str, Any], truth: Truth) -> None:
        """Count one explanation."""
        self.setups += 1
        mistakes = find_mistakes(document, truth)
        self.flawless += not mistakes
        self.falsely_blamed += document["seccomp"] is True and truth.seccomp is not True
        fatal = {one["syscall"] for one in document["denials"] if one["fatal"]}
        self._count(
            "seccomp",
            truth.seccomp is True and document["seccomp"] is True,
            document["seccomp"] is True,
            truth.seccomp is True,
        )
        self._count("cause", document["cause"] == truth.cause, True, True)
        if truth.stage:
            self._count("stage", document["stage"] == truth.stage, True, True)
        if truth.calls or not truth.seccomp:
            hit = bool(fatal & truth.calls)
            self._count("syscall", hit, bool(fatal), bool(truth.calls))
        if truth.needs is not None:
            found = {one["syscall"] for one in (document["needs"] or {}).get("calls", [])}
            for question, amount in (
                (self.right, len(found & truth.needs)),
                (self.given, len(found)),
                (self.wanted, len(truth.needs)),
            ):
                question["needs"] = question.get("needs", 0) + amount
        if mistakes:
            print(f"  wrong: {name}: {', '.join(mistakes)}: {document['summary']}", flush=True)

    def _count(self, what: str, right: bool, given: bool, wanted: bool) -> None:
        for table, yes in ((self.right, right), (self.given, given), (self.wanted, wanted)):
            table[what] = table.get(what, 0) + yes

    def show(self) -> None:
        """Print precision and recall by question."""
        print(
            f"{self.flawless} of {self.setups} set-ups explained without a mistake, "
            f"{self.falsely_blamed} falsely blamed on seccomp"
        )
        print(f"{'':<10} {'precision':>9} {'recall':>9}")
        for what in self.wanted:
            right, given, wanted = self.right[what], self.given[what], self.wanted[what]
            print(
                f"{what:<10} {right / max(given, 1):9.3f} {right / max(wanted, 1):9.3f}"
                f"   ({right} right, {given} given, {wanted} wanted)"
            )


def explain(words: list[str], file: Path) -> dict[str, Any]:
    """Explain one command."""
    command = [SECLATCH, "explain", "--json", "-o", str(file), "--", *words]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=90)
    document: dict[str, Any] = json.loads(file.read_text())
    file.unlink()
    return document


def measure_bundles(folder: Path, tally: Tally) -> None:
    root = folder / "root"
    root.mkdir()
    make_rootfs(root, Compiler(folder))
    for number, setup in enumerate(all_setups()):
        words = setup.words(folder / f"bundle{number}", root)
        tally.add(setup.name, explain(words, folder / "why.json"), setup.truth)


def engines(folder: Path, host: PrivateHost) -> Iterator[Engine]:
    programs = {name: shutil.which(name, path=ENVIRONMENT["PATH"]) for name in ("runc", "crun")}
    runtimes = {name: Path(program) for name, program in programs.items() if program}
    archive = make_archive(make_image_root(folder / "image"), folder / "image.tar")
    makers: dict[str, Callable[[], Engine]] = {
        "docker": lambda: Docker(host, runtimes).begin(folder / "docker.log"),
        "podman": lambda: Podman(host, runtimes),
        "containerd": lambda: Containerd(host, runtimes).begin(folder / "containerd.log"),
    }
    for make in makers.values():
        engine = make()
        engine.load(archive)
        yield engine
        engine.stop()


def engine_setups(folder: Path) -> Iterator[tuple[dict[str, Any], list[str], Truth]]:
    """Yield options and words of `Engine.run`, and the true cause."""
    for number, ((runtime, quiet), call) in enumerate(ENGINE_CALLS.items()):
        names = frozenset({call})
        for n, (profile, words, truth) in enumerate(
            [
                (
                    denying(call),
                    ["/bin/true"],
                    Truth(True, "runtime-denied", "filtered-init", names, names),
                ),
                (
                    denying("mkdir"),
                    ["/bin/mkdir", "/x"],
                    Truth(True, "program-denied", "program", frozenset({"mkdir"})),
                ),
                (
                    denying("swapon"),
                    ["/bin/cat", "/nowhere"],
                    Truth(False, "missing-file", "program"),
                ),
            ]
        ):
            file = folder / f"engine{number}-{n}.json"
            file.write_text(json.dumps(profile))
            yield {"runtime": runtime, "no_new_privs": quiet, "profile": file}, words, truth


def measure_engines(folder: Path, tally: Tally) -> None:
    host = PrivateHost().start()
    try:
        for engine in engines(folder, host):
            for options, words, truth in engine_setups(folder):
                name = f"{engine.name} {options['runtime']} {options['profile'].name}"
                tally.add(name, explain_run(engine, options, words, folder / "why.json"), truth)
                engine.clear()
    finally:
        host.close()


def explain_run(
    engine: Engine, options: dict[str, Any], words: list[str], file: Path
) -> dict[str, Any]:
    """Explain the engine's client: its command line, in the private host, unchanged."""
    plain = engine.host.argv
    command = [SECLATCH, "explain", "--json", "-o", str(file), "--"]
    engine.host.argv = lambda *more: [*command, *plain(*more)]  # type: ignore[method-assign]
    try:
        done: Done = engine.run(*words, timeout=90, **options)
    finally:
        engine.host.argv = plain  # type: ignore[method-assign]
    assert file.exists(), done.stderr
    document: dict[str, Any] = json.loads(file.read_text())
    file.unlink()
    return document


def report(runs: int) -> None:
    """Print accuracy, then cost."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        Path(folder).chmod(0o755)
        measure_bundles(Path(folder), tally)
        measure_engines(Path(folder), tally)
    tally.show()
    explaining.report_cost(runs)
