"""Run a program of `programs` in a container: start, workload, end."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.debian.packages import make_root
from tests.debian.programs import Program, give_to, packages, postgres_folder, programs
from tests.latch.oci import SCRIPTS, Bundle, Runtime, make_bundle, wait_until

USER = 1000
SECLATCH = str(SCRIPTS / "seclatch")
ANY = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO"}],
}


@contextmanager
def debian_root() -> Iterator[Path]:
    """Make a root directory with all programs."""
    with unpacked(packages()) as root:
        initialise(root)
        yield root


@contextmanager
def unpacked(names: Sequence[str]) -> Iterator[Path]:
    """Unpack packages into a root directory that other users can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="sl-", dir="/tmp") as folder:
        path = Path(folder)
        path.chmod(0o755)
        (path / "root").mkdir()
        (path / "files").mkdir()
        root = make_root(names, path / "root", path / "files")
        shutil.rmtree(path / "files")
        (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\napp:x:1000:1000::/run:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\napp:x:1000:\n")
        yield root


def initialise(root: Path) -> None:
    """Do the work of postgresql's maintainer script."""
    shutil.copy("/usr/bin/busybox", root / "usr/bin/sh")  # initdb runs postgres through a shell
    words = [
        f"{postgres_folder()}/initdb",
        "-D",
        "/run/data",
        "-A",
        "trust",
        "--no-sync",
        "--locale=C",
        "--encoding=UTF8",
    ]
    with Server(programs()["postgres"], root) as server:
        done = server.run_other(Runtime("runc", latched=False), words, None)
        assert done.returncode == 0, done.stderr
        shutil.move(server.folder / "data", root / "initial")


class Server:
    """One program in a bundle of its own; each run starts with a new directory."""

    def __init__(self, program: Program, root: Path) -> None:
        self.program = program
        self._root = root
        self._temporary = tempfile.TemporaryDirectory(prefix="sl-", dir="/tmp")
        self._path = Path(self._temporary.name)
        self._path.chmod(0o755)
        self.folder = self._path / "run"
        self._runs = 0

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    def run(
        self,
        runtime: Runtime,
        seccomp: dict[str, Any],
        recording: Path | None = None,
        *,
        idle: bool = False,
    ) -> None:
        """Start it, run the workload, reload, run the workload again, stop; any failure raises.

        `idle`: only until it answers, then stop.
        """
        bundle = self._bundle(self.program.argv, seccomp)
        prefix = [SECLATCH, "record", "-q", "-o", str(recording), "--"] if recording else []
        words = [*prefix, *runtime.argv("run", "--bundle", bundle.path, bundle.id)]
        log = self._path / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            ) as process,
        ):
            try:
                self._work(process, runtime, bundle, idle)
                assert process.wait(240) == 0, f"ended with {process.returncode}"
            except BaseException as error:
                error.add_note(log.read_text(errors="replace")[-2000:])
                raise
            finally:
                if process.poll() is None:
                    runtime("delete", "--force", bundle.id)
                    process.kill()

    def _work(
        self, process: subprocess.Popen[bytes], runtime: Runtime, bundle: Bundle, idle: bool
    ) -> None:
        def ready() -> object:
            assert process.poll() is None, f"ended early with {process.returncode}"
            return self.program.ready(self.folder)

        wait_until(ready, f"{self.program.name} to answer", seconds=240)
        if not idle:
            self.program.work(self.folder)
            if self.program.reload:
                assert runtime("kill", bundle.id, self.program.reload).returncode == 0
            wait_until(ready, f"{self.program.name} to answer again", seconds=240)
            self.program.work(self.folder)
        assert runtime("kill", bundle.id, self.program.stop).returncode == 0

    @contextmanager
    def started(self, runtime: Runtime, seccomp: dict[str, Any]) -> Iterator[Bundle]:
        """Start it, and yield its bundle when it answers; stop it at the end."""
        bundle = self._bundle(self.program.argv, seccomp)
        words = runtime.argv("run", "--bundle", bundle.path, bundle.id)
        log = self._path / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            ) as process,
        ):
            try:
                wait_until(lambda: self.program.ready(self.folder), "an answer", seconds=240)
                yield bundle
            except BaseException as error:
                error.add_note(log.read_text(errors="replace")[-2000:])
                raise
            finally:
                runtime("delete", "--force", bundle.id)
                process.kill()

    def run_other(
        self, runtime: Runtime, words: Sequence[str], seccomp: dict[str, Any] | None
    ) -> subprocess.CompletedProcess[str]:
        """Run another command in the same container."""
        bundle = self._bundle(words, seccomp)
        return runtime("run", "--bundle", bundle.path, bundle.id)

    def _bundle(self, words: Sequence[str], seccomp: dict[str, Any] | None) -> Bundle:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        initial = self._root / "initial"
        if self.program.name == "postgres" and initial.exists():
            shutil.copytree(initial, self.folder / "data")
        self.program.prepare(self.folder)
        give_to(self.folder, USER)
        self._runs += 1
        path = self._path / f"bundle{self._runs}"
        bundle = make_bundle(path, self._root, words, seccomp=seccomp)
        bundle.config["process"]["user"] = {"uid": USER, "gid": USER}
        bundle.config["process"]["env"] += ["HOME=/run", "LC_ALL=C"]
        bundle.config["mounts"] += [
            {
                "destination": "/run",
                "type": "bind",
                "source": str(self.folder),
                "options": ["rbind", "rw"],
            },
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},
        ]
        bundle.write()
        return bundle


def generate(recordings: Sequence[Path], profile: Path, *options: str) -> None:
    words = [SECLATCH, "generate", "--portable", *options, "-o", profile, *recordings]
    subprocess.run(words, check=True, capture_output=True)
