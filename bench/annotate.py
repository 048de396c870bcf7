"""Measure what recording by annotation adds to a start, and the merging of many files."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bench.paired import compare
from bench.start import make_rootfs
from seclatch.model.recording.origin import ContainerImage
from seclatch.recording.files import recording_file
from tests.latch.node import recorded_node
from tests.latch.oci import SCRIPTS, copy_front, make_bundle

FILES = 10_000


def report(runs: int) -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        compare_starts(Path(folder), runs)
        merge_many(Path(folder))


def compare_starts(folder: Path, runs: int) -> None:
    """Compare a latched start alone, by annotation, and under `seclatch record`."""
    bundle = make_bundle(folder / "bundle", make_rootfs(folder), ["/bin/true"], seccomp=None)
    bundle.config["annotations"] = {"seclatch.record": "bench"}
    bundle.write()
    latched = copy_front(folder / "latched", "runc", "/usr/sbin/runc")
    words = ["run", "--bundle", str(bundle.path)]
    front = [str(SCRIPTS / "seclatch"), "record", "-q", "-o", str(folder / "x.json"), "--"]

    print(f"{'':<28} {'latched':>12} {'recorded':>12}   {'ratio':>6}  (quartiles)")
    with recorded_node(folder / "node") as node:
        for name, prefix, program in (
            ("by annotation / latched", [], node.front),
            ("seclatch record / latched", front, latched),
        ):
            pair = compare(
                name,
                lambda n: [str(latched), *words, f"bench-a{n}"],
                lambda n, p=prefix, r=program: [*p, str(r), *words, f"bench-b{n}"],
                runs,
            )
            print(pair.row())


def merge_many(folder: Path) -> None:
    """Measure CPU and wall time of merging ten thousand recordings of five images."""
    many = folder / "many"
    many.mkdir()
    made = folder / "x.json"
    recording = recording_file.read_recording(made)
    size = 0
    for number in range(FILES):
        image = ContainerImage(name="bench", digest=f"sha256:{number % 5:064x}")
        content = msgspec.json.encode(msgspec.structs.replace(recording, images=[image]))
        (many / f"{number}.json").write_bytes(content)
        size += len(content)
    command = f'exec "$1" -m seclatch record merge --into {folder}/merged {many}/*.json'
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(["sh", "-c", command, "sh", sys.executable], check=True, capture_output=True)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"merge {FILES:,} recordings of {size // FILES:,} bytes: {took:.1f} s, {used:.1f} s of CPU"
    )
