"""Compare the listing and the simulator with other tools: libseccomp's, and ceccomp from PyPI.

Whole processes, as a user starts them, in turn. libseccomp's are built from its source package;
seccomp-tools is a Ruby gem and in none of Debian, PyPI and npm.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.filter import PROFILE
from bench.paired import compare
from seclatch.filter.boundary_calls import list_boundary_calls
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import SeccompData
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.parse.load_profile import load_profile
from tests.kernel import simulator
from tests.latch.oci import SCRIPTS

SECLATCH = str(SCRIPTS / "seclatch")
ROWS = 300
HEADER = f"{'':<28} {'the other':>12} {'seclatch':>12}   {'ratio':>6}  (quartiles)"


def ceccomp(folder: Path) -> list[str]:
    """Fetch ceccomp; return [] if that fails."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    command += ["--no-deps", "--target", str(folder), "ceccomp"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    program = folder / "ceccomp" / "ceccomp"
    if done.returncode or not program.exists():
        print(f"(no ceccomp: {done.stderr.strip()[-200:]})")
        return []
    program.chmod(0o755)
    return [str(program)]


def write_rows(folder: Path, program: Filter, sim: Path, code: Path) -> tuple[Path, Path]:
    """Write the same rows as a script of simulator calls and as a table of seclatch's."""
    every = list(list_boundary_calls(program, Arch.X86_64))
    calls = every[:: len(every) // ROWS][:ROWS]
    script, table = folder / "rows.sh", folder / "rows.txt"
    script.write_text("".join(f"{sim} -f {code} -a x86_64 {_words(call)}\n" for call in calls))
    table.write_text(
        "".join(f"x86_64 #{c.number}({', '.join(map(str, c.args))}) ALLOW\n" for c in calls)
    )
    return script, table


def _words(call: SeccompData) -> str:
    args = " ".join(f"-{n} {arg}" for n, arg in enumerate(call.args))
    return f"-s {call.number} {args}"


def make_program() -> bytes:
    """Compile Podman's default for one ABI, as crun does.

    ceccomp reads 1024 instructions at most, and libseccomp's simulator does not support JSET, which
    runc's stub has.
    """
    profile = narrow_profile(
        load_profile(PROFILE), Host(Arch.X86_64, frozenset(), (6, 18), Engine.PODMAN)
    )
    only = replace(profile, architectures=())
    return compile_profile(only, runtime=Runtime.CRUN, native=Arch.X86_64).code


def report(runs: int) -> None:
    """Print a row for each other tool that is available."""
    runs = max(5, runs // 6)
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as name:
        folder = Path(name)
        code = folder / "program.bpf"
        code.write_bytes(make_program())
        print(HEADER)
        ours = [SECLATCH, "filter", "disassemble", str(code)]
        other = ceccomp(folder / "ceccomp")
        if other:
            words = [*other, "disasm", str(code)]
            print(compare("list: ceccomp", lambda _: words, lambda _: ours, runs).row())
        try:
            sim = simulator.build(folder / "sim")
            listing = simulator.build(folder / "list", "scmp_bpf_disasm")
        except RuntimeError as error:
            print(f"(no libseccomp tools: {str(error)[-200:]})")
            return
        words = ["sh", "-c", f"{listing} <{code}"]
        print(compare("list: scmp_bpf_disasm", lambda _: words, lambda _: ours, runs).row())
        simulate(folder, sim, code, runs)


def simulate(folder: Path, sim: Path, code: Path, runs: int) -> None:
    """Simulate a table of calls: one process a row for the simulator, one process for seclatch."""
    program = Filter.from_bytes(code.read_bytes())
    script, table = write_rows(folder, program, sim, code)
    test = f"{SECLATCH} profile test {code} --table {table} || [ $? = 1 ]"
    theirs, ours = ["sh", str(script)], ["sh", "-c", test]
    print(compare(f"{ROWS} rows: scmp_bpf_sim", lambda _: theirs, lambda _: ours, runs).row())
