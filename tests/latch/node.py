"""A recorder of annotated containers, and runc behind a latch that asks it; no engine is needed."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from seclatch.engines.services.annotation_recorder import make_script
from seclatch.errors import SeclatchError
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from seclatch.system.recorder_client import ask_recorder
from tests.latch.oci import Bundle, copy_front, make_bundle, wait_until


@dataclass
class RecordedNode:
    """A folder with recorder, socket, recordings and bundles."""

    folder: Path
    at_once: int = 256
    process: subprocess.Popen[bytes] | None = None
    started: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recordings = self.folder / "recordings"
        self.recordings.mkdir(mode=0o700)
        self.socket = self.folder / "run" / "recorder.sock"
        self.program = self.folder / "recorder"
        self.program.write_bytes(make_script())
        self.program.chmod(0o755)
        limits = RecorderLimits(
            directory=str(self.recordings), recordings=100_000, at_once=self.at_once
        )
        self.program.with_suffix(".json").write_bytes(limits.encode())
        self.front = copy_front(self.folder / "front", "runc", shutil.which("runc") or "runc")
        self.front.with_name("runc.record").symlink_to(self.socket)

    def start(self) -> None:
        """Start the recorder and wait until it answers."""
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [self.program, "--socket", self.socket], stdout=output, stderr=output
            )
        wait_until(self.answers, f"the recorder: {self.output()}")

    def answers(self) -> bool:
        """Return whether the recorder answers."""
        with contextlib.suppress(SeclatchError):
            return bool(self.ask("status"))
        return False

    def ask(self, verb: str, argument: str = "") -> dict[str, object]:
        """Send a request to the recorder."""
        answer: dict[str, object] = ask_recorder(str(self.socket), verb, argument, 60.0)
        return answer

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End the recorder by a signal; return its status."""
        assert self.process
        self.process.send_signal(number)
        status = self.process.wait(90)
        self.process = None
        return status

    def is_entered(self) -> bool:
        """Return whether each container is known by which a next recorder continues."""
        states = [path.read_text() for path in self.recordings.glob(".running-*")]
        return bool(states) and all('"identity":{' in state for state in states)

    def output(self) -> str:
        """Return what recorders have written to standard error."""
        return (self.folder / "output").read_text()

    def log(self) -> str:
        """Return the log of the directory of recordings."""
        path = self.recordings / "log"
        return path.read_text() if path.exists() else ""

    def bundle(self, name: str, rootfs: Path, *args: str, annotation: str = "") -> Bundle:
        """Make the bundle of an annotated container, which is recorded under its name."""
        bundle = make_bundle(self.folder / name, rootfs, args, seccomp=None)
        bundle.config["annotations"] = {"seclatch.record": annotation or name}
        bundle.config["linux"].pop("resources", None)
        bundle.write()
        return bundle

    def begin(self, bundle: Bundle) -> float:
        """Start a container that runs on; return how many seconds that took."""
        began = time.monotonic()
        subprocess.run(
            [self.front, "run", "--detach", "--bundle", bundle.path, bundle.id],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )
        self.started.append(bundle.id)
        return time.monotonic() - began

    def execute(self, bundle: Bundle, *words: str) -> None:
        """Run a program in a running container; it may fail."""
        command = [self.front, "exec", bundle.id, *words]
        subprocess.run(command, check=False, capture_output=True, timeout=60)

    def end(self, bundle: Bundle) -> None:
        """Kill and remove a container."""
        subprocess.run(["runc", "delete", "--force", bundle.id], check=False, capture_output=True)
        self.started.remove(bundle.id)

    def files(self) -> list[Path]:
        """List the recordings."""
        return sorted(self.recordings.glob("*.json.gz"))

    def read(self, *, complete: bool = True, name: str = "") -> Recording:
        """Return the only recording of a name, once it is as complete as that."""

        def find() -> Recording | None:
            files = [path for path in self.files() if path.name.startswith(name)]
            found = [recording_file.read_recording(path) for path in files]
            return found[0] if len(found) == 1 and found[0].complete is complete else None

        found: Recording = wait_until(find, f"a recording; log: {self.log()}{self.output()}")
        return found

    def close(self) -> None:
        """Remove the containers and end the recorder."""
        for identifier in self.started:
            words = ["runc", "delete", "--force", identifier]
            subprocess.run(words, check=False, capture_output=True)
        if self.process:
            self.kill(signal.SIGTERM)


@contextlib.contextmanager
def recorded_node(folder: Path, *, at_once: int = 256) -> Iterator[RecordedNode]:
    """Provide a node whose recorder runs."""
    folder.mkdir(parents=True, exist_ok=True)
    node = RecordedNode(folder, at_once)
    try:
        node.start()
        yield node
    finally:
        node.close()
