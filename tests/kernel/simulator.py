"""libseccomp's own simulator, a second oracle for a program's answers.

No Debian package contains it; libseccomp's source package has it (tools/scmp_bpf_sim.c). That is
fetched by apt with lists of its own, so that the machine's are left alone, and built in a temporary
directory.
"""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from seclatch.model.action import Action
from seclatch.model.arch import Arch
from seclatch.model.call_notation import parse_action
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import SeccompData

# The operations it supports: no JSET, which runc's stub has, no scratch memory, no arithmetic but &
# and |.
CODES = frozenset({0x20, 0x44, 0x54, 0x05, 0x15, 0x25, 0x35, 0x06})


def build(folder: Path, name: str = "scmp_bpf_sim") -> Path:
    """Fetch and compile it, or another of libseccomp's tools.

    Raises RuntimeError with apt's output if that fails.
    """
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    (folder / "sources.list").write_text(_sources())
    options = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
    }
    apt = [
        "apt-get",
        "-q",
        *(word for key, value in options.items() for word in ("-o", f"{key}={value}")),
    ]
    _run([*apt, "update"], folder)
    _run([*apt, "source", "--download-only", "libseccomp"], folder)
    (archive,) = folder.glob("libseccomp_*.orig.tar.*z")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (tools,) = folder.glob("libseccomp-*/tools")
    program = folder / name
    sources = [tools / f"{name}.c", tools / "util.c"]
    _run(["gcc", "-O1", "-I", tools.parent / "include", "-o", program, *sources], folder)
    return program


def _sources() -> str:
    """Write apt's sources: the machine's own repositories, for source packages."""
    fields = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(SIGNED_BY)"
    command = ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]
    result = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = []
    for words in sorted({tuple(line.split()) for line in result.splitlines()}):
        if words[0].startswith("http") and len(words) >= 3:
            uri, release, component, *key = words
            signed = f"[signed-by={key[0]}] " if key and key[0].startswith("/") else ""
            lines.append(f"deb-src {signed}{uri} {release} {component}\n")
    return "".join(lines)


def _run(command: Sequence[str | Path], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} {command[-1]}: {done.stdout}{done.stderr}")


def runs(program: Filter) -> bool:
    """Return whether the simulator supports all instructions of the program."""
    return {instruction.code for instruction in program.instructions} <= CODES


def answers(
    simulator: Path, program: Filter, calls: Sequence[SeccompData], arch: Arch
) -> list[Action]:
    """Return its answer to each call: one process each."""
    code = simulator.with_suffix(".bpf")
    code.write_bytes(program.to_bytes())
    base = [str(simulator), "-f", str(code), "-a", arch.title]
    found = []
    for call in calls:
        args = [word for n, arg in enumerate(call.args) for word in (f"-{n}", str(arg))]
        command = [*base, "-s", str(call.number), *args]
        result = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        found.append(parse_action(result))
    return found
