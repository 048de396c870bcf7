"""Kinds of start, and one start of a kind with its tracer killed (tests/programs/kill_tracer.c).

The profile denies three calls that runtimes do not issue after their load. So a runtime whose
tracer has died before the load goes on, and the program prints how it is bound
(tests/programs/bound.c).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import Compiler
from tests.latch.oci import CGROUP2_ONLY, SCRIPTS, is_hybrid

UID = 2000
PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": number}
        for name, number in (("personality", 5), ("readv", 7), ("getpgid", 9))
    ],
}
BOUND = "bound 5 7 9 blocked=0 ignored=0 dumpable=1"
GATED = "bound 5 38 9 blocked=0 ignored=0 dumpable=1"  # readv: a runtime may need it, so ENOSYS
STATUS = 42  # of the program
SECONDS = 60  # for one start on a busy machine; more is a hang

VERBS = ("run", "create", "exec")
# In a user's own `runc exec`, init guards its memory from the latch, which refuses.
REFUSED = ("runc", "exec")
METHODS = ("suspend", "hold", "gate")
_number = itertools.count()


@dataclass(frozen=True)
class Kind:
    """A kind of start: verb, runtime, user and method."""

    runtime: str
    verb: str  # `create` is followed by `start`
    method: str
    user: bool = False

    def __str__(self) -> str:
        caller = "user" if self.user else "root"
        return f"{self.method}-{caller}-{self.runtime}-{self.verb}"

    @property
    def accepted(self) -> set[str]:
        """Return the outputs allowed to the program.

        With the gate it has the exact filter if the tracer died before the load.
        """
        return {BOUND, GATED} if self.method == "gate" else {BOUND}

    @property
    def tracer(self) -> int:
        """Return the tracer that observes the load: runc's init has a tracer of its own."""
        return 2 if self.runtime == "runc" else 1


KINDS = [
    Kind(runtime, verb, method, user)
    for method in METHODS
    for user in (False, True)
    for runtime in ("runc", "crun")
    for verb in VERBS
    if not (user and (method == "suspend" or (runtime, verb) == REFUSED))
]


@dataclass
class Outcome:
    """How a start ended: bound, refused, dead; whole where no tracer was killed; or a fault."""

    word: str
    report: dict[str, int]
    detail: str = ""

    @property
    def fault(self) -> bool:
        """Return whether this outcome must never happen."""
        return self.word not in ("bound", "refused", "dead", "whole")


@dataclass
class Stage:
    """A bundle for starts of one kind, one after the other, with a state directory of its own."""

    kind: Kind
    folder: Path
    root: Path
    killer: Path
    front: Path | None = None
    hybrid: bool = field(default_factory=is_hybrid)
    running: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.bundle = self.folder / "bundle"
        self.bundle.mkdir(parents=True)
        self.state = self.folder / "state"
        self.state.mkdir()
        words = ["runc", "spec", *(["--rootless"] if self.kind.user else [])]
        subprocess.run(words, cwd=self.bundle, check=True)
        config = json.loads((self.bundle / "config.json").read_text())
        config["process"].update(
            terminal=False, args=["/bin/bound"], noNewPrivileges=self.kind.method == "hold"
        )
        config["root"] = {"path": str(self.root), "readonly": True}
        config["linux"]["seccomp"] = PROFILE
        for each in ("uidMappings", "gidMappings") if self.kind.user else ():
            config["linux"][each][0]["hostID"] = UID
        self._write(config)
        if self.kind.user:
            for path in (self.folder, self.state, self.bundle):
                os.chown(path, UID, UID)

    def _write(self, config: Any) -> None:
        self.config = config
        (self.bundle / "config.json").write_text(json.dumps(config))

    def _words(self, *words: str, killer: tuple[str, ...] = (), bare: bool = False) -> list[str]:
        """Return the runtime's command line, run by the killer or not."""
        wrapped: list[str] = []
        if self.kind.runtime == "crun" and self.hybrid:
            wrapped += ["unshare", "-m", "sh", "-c", CGROUP2_ONLY, "sh"]
        if self.kind.user:
            wrapped += ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
        return [*wrapped, *killer, *self._call(*words, bare=bare)]

    def _call(self, *words: str, bare: bool = False) -> list[str]:
        front = self.front or SCRIPTS / f"seclatch-{self.kind.runtime}"
        program = self.kind.runtime if bare else str(front)
        options = ["--root", str(self.state)]
        if self.kind.runtime == "crun" and (self.hybrid or self.kind.user):
            options.append("--cgroup-manager=disabled")
        return [program, *options, *words]

    def _environment(self) -> dict[str, str]:
        mode = "suspend" if self.kind.method == "suspend" else "gate"
        return {**os.environ, "SECLATCH_MODE": mode, "XDG_RUNTIME_DIR": str(self.folder)}

    def _run(self, *words: str, bare: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._words(*words, bare=bare),
            env=self._environment(),
            check=False,
            timeout=60,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def kill(self, tracer: int, point: str) -> Outcome:
        """Start once, with that tracer killed at that point; `-` kills none."""
        name = self.running or f"sweep-{os.getpid()}-{next(_number)}"
        report, errors = self.folder / "report", self.folder / "errors"
        killer = (str(self.killer), str(report), str(tracer), point, str(SECONDS))
        report.touch()
        os.chown(report, *(UID, UID) if self.kind.user else (0, 0))
        with errors.open("w") as stderr:
            process = subprocess.Popen(
                self._words(*self._start(name), killer=killer),
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
            process.wait()
        message = dict(word.split("=") for word in report.read_text().split())
        result = {key: int(value) for key, value in message.items()}
        if self.kind.verb == "create" and result.get("next") != 0:
            self._run("delete", "--force", name)  # or the output would not reach its end
        output = self._read(process, name)
        if self.kind.verb != "exec" and result.get("status") != STATUS << 8:
            self._run("delete", "--force", name)
        return judge(self.kind, result, output, errors.read_text())

    def start(self) -> str:
        """Start once, without a killer, and delete the container; return the error, or ""."""
        name = self.running or f"soak-{os.getpid()}-{next(_number)}"
        words = self._start(name)
        if self.kind.verb == "create":
            words = words[: words.index(";")]
        process = subprocess.Popen(
            self._words(*words),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self.kind.verb == "create":
            process.wait()
            started = self._run("start", name)
            if started.returncode:
                self._run("delete", "--force", name)
        output, errors = process.communicate(timeout=120)
        if self.kind.verb == "create":
            self._run("delete", "--force", name)
        status = 0 if self.kind.verb == "create" else STATUS
        good = process.returncode == status and output.strip() in self.kind.accepted
        return "" if good else f"{self.kind}: {process.returncode} {output!r} {errors!r}"

    def _start(self, name: str) -> list[str]:
        if self.kind.verb == "exec":
            no_new_privs = ["--no-new-privs"] if self.kind.method == "hold" else []
            return ["exec", *no_new_privs, name, "/bin/bound"]
        words = [self.kind.verb, "--bundle", str(self.bundle), name]
        return words if self.kind.verb == "run" else [*words, ";", *self._call("start", name)]

    def _read(self, process: subprocess.Popen[str], name: str) -> str:
        """Read the program's output after its end."""
        try:
            return process.communicate(timeout=SECONDS)[0]
        except subprocess.TimeoutExpired:
            self._run("delete", "--force", name)
            if self.kind.verb == "exec":
                raise
            return "still running " + process.communicate(timeout=SECONDS)[0]

    @contextlib.contextmanager
    def ready(self) -> Iterator[Stage]:
        """Prepare: for exec sessions, start a container."""
        if self.kind.verb != "exec":
            yield self
            return
        self.config["process"]["args"] = ["/bin/busybox", "sleep", "3600"]
        self._write(self.config)
        name = f"sweep-{os.getpid()}-{next(_number)}"
        words = self._words("run", "--detach", "--bundle", str(self.bundle), name)
        with (self.folder / "output").open("w") as output:
            done = subprocess.run(
                words,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
        assert done.returncode == 0, (self.folder / "output").read_text()
        self.running = name
        try:
            yield self
        finally:
            self._run("delete", "--force", name)


def judge(kind: Kind, report: dict[str, int], output: str, errors: str) -> Outcome:
    """Classify the start. A program that ran must be bound; otherwise it is a fault."""
    status = report.get("next" if kind.verb == "create" else "status", -1)
    if not report or report["late"]:
        word = "hung"
    elif output:
        word = judge_program(kind, report, status, output)
    elif not report["killed"]:
        word = "did not run, though no tracer was killed"
    elif kind.verb != "create" and status == 0:
        word = "did not run, which its status hides"
    else:
        killed = (signal.SIGKILL, (128 + signal.SIGKILL) << 8, 0)
        word = "dead" if status in killed else "refused"
    return Outcome(word, report, f"{report} {output!r} {errors[-300:]!r}")


def judge_program(kind: Kind, report: dict[str, int], status: int, output: str) -> str:
    """Classify a start whose program ran."""
    if output.strip() not in kind.accepted or len(output.splitlines()) != 1:
        return "not bound as it should be"
    if kind.verb != "create" and status != STATUS << 8:
        return "ran, with another status"
    return "bound" if report["killed"] else "whole"


def make_root(path: Path, compiler: Compiler) -> Path:
    """Make a root directory with the program and a busybox, readable for every user."""
    for folder in ("bin", "proc", "dev", "sys", "tmp", "etc"):
        (path / folder).mkdir(parents=True)
    shutil.copy("/usr/bin/busybox", path / "bin/busybox")
    shutil.copy(compiler("bound"), path / "bin/bound")
    return path
