"""Measure the calls of runtimes between loading a filter and the program's exec.

`python tools/runtime_needs.py [STARTS]` writes src/seclatch/data/runtime_needs.json: for each
runtime of this machine its version and, for each call, in how many of how many starts it was
issued. Starts differ in what changes a runtime's calls: no_new_privs, the user, whether by run, by
create and start, or exec. Some calls occur only sometimes (a Go runtime's futex), so it takes many
starts, best on a busy machine. Needs root.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.latch.oci import Bundle, Runtime, make_bundle, running

TARGET = Path(__file__).parent.parent / "src/seclatch/data/runtime_needs.json"
SECLATCH = Path(sysconfig.get_path("scripts")) / "seclatch"
ANY = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO"}],
}
LOOP = 'n=$1; shift; i=0; while [ $i -lt $n ]; do "$@"$i; i=$((i+1)); done'
CREATE = """
n=$1 bundle=$2 id=$3; shift 3; i=0
while [ $i -lt $n ]; do
  "$@" create --bundle $bundle $id$i && "$@" start $id$i && sleep 0.05
  "$@" delete --force $id$i; i=$((i+1))
done
"""
ENTER = 'n=$1; shift; i=0; while [ $i -lt $n ]; do "$@"; i=$((i+1)); done'


def record(folder: Path, script: str, starts: int, words: list[str]) -> Recording:
    """Run the script, which starts that many containers, and read the recording."""
    path = folder / "recording.json"
    command = ["sh", "-c", script, "sh", str(starts), *words]
    subprocess.run(
        [SECLATCH, "record", "-q", "--backend", "ebpf", "-o", path, "--", *command],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    return recording_file.read_recording(path)


def count(recording: Recording, starts: int) -> Counter[str]:
    """Count in how many starts each call was issued; every start must have been recorded."""
    processes = {each.process for each in recording.calls if each.stage == "filtered-init"}
    if len(processes) != starts:
        raise RuntimeError(f"{len(processes)} of {starts} starts were seen")
    made = {(each.process, each.name) for each in recording.calls if each.stage == "filtered-init"}
    return Counter(name for _, name in made)


def variants(folder: Path, root: Path) -> list[tuple[Bundle, bool]]:
    """Yield bundles that differ in the runtime's work, and whether no_new_privs is on."""
    made = []
    for strict in (False, True):
        for user in (0, 1000):
            bundle = make_bundle(
                folder / f"{strict}{user}",
                root,
                ["/bin/sleep", "0"],
                seccomp=ANY,
                no_new_privileges=strict,
            )
            bundle.config["process"]["user"] = {"uid": user, "gid": user}
            bundle.write()
            made.append((bundle, strict))
    return made


def measure(name: str, starts: int, root: Path) -> dict[str, Any]:
    """Measure one runtime: so many starts of each variant, and so many exec sessions."""
    runtime = Runtime(name, latched=False)
    total: Counter[str] = Counter()
    done = 0
    with tempfile.TemporaryDirectory(prefix="seclatch-needs-") as temporary:
        folder = Path(temporary)
        for bundle, strict in variants(folder, root):
            words = runtime.argv("run", "--bundle", bundle.path, f"{bundle.id}-")
            total += count(record(folder, LOOP, starts, words), starts)
            words = [str(bundle.path), f"{bundle.id}-c", *runtime.argv()]
            total += count(record(folder, CREATE, starts, words), starts)
            bundle.config["process"]["args"] = ["/bin/sleep", "1000"]
            bundle.write()
            flags = ["--no-new-privs"] if strict else []
            with running(runtime, bundle):
                words = runtime.argv("exec", *flags, bundle.id, "/bin/true")
                total += count(record(folder, ENTER, starts, words), starts)
            done += 3 * starts
            print(f"{name}: {done} starts, {len(total)} calls", file=sys.stderr)
    version = subprocess.run([name, "--version"], capture_output=True, text=True, check=True)
    return {
        "version": version.stdout.splitlines()[0],
        "starts": done,
        "calls": dict(sorted(total.items())),
    }


def main() -> None:
    """Measure both runtimes, write the file."""
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory(prefix="seclatch-root-") as temporary:
        root = Path(temporary)
        root.chmod(0o755)
        for each in ("bin", "proc", "dev", "sys", "tmp"):
            (root / each).mkdir()
        (root / "bin/busybox").write_bytes(Path("/usr/bin/busybox").read_bytes())
        (root / "bin/busybox").chmod(0o755)
        for applet in ("sleep", "true"):
            (root / "bin" / applet).symlink_to("busybox")
        found = {name: measure(name, starts, root) for name in ("runc", "crun")}
    TARGET.write_text(json.dumps(found, indent=1) + "\n")


main()
