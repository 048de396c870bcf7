"""The listings of tracing-a-runtime.md: one start of runc under one tracer after the other."""

from __future__ import annotations

import shutil
import subprocess
import sys

from tests.latch.oci import make_bundle
from tools.docs.lab import ALLOW, Lab
from tools.docs.listings import fenced, maker
from tools.docs.pages import ROOT

SLOW = ("tracing-costs",)


def session(lab: Lab, *commands: str) -> str:
    """Show commands with their output, run in turn in a directory with a bundle `box`."""
    folder = lab.folder / "tracing"
    if not folder.exists():
        make_bundle(folder / "box", lab.rootfs, ["/bin/true"], seccomp=ALLOW)
        shutil.copy(ROOT / "tools" / "docs" / "ftrace", folder / "ftrace")
    lines: list[str] = []
    for command in commands:
        output = lab.run("sh", "-c", f"cd {folder} && {command}").rstrip()
        lines += [f"$ {command}", *([output] if output else [])]
    return fenced("\n".join(lines))


@maker("tracing-seclatch")
def with_seclatch(lab: Lab) -> str:
    """Show seclatch."""
    return session(
        lab,
        "seclatch record -q -o start.json -- runc run --bundle box box",
        "seclatch show --json start.json | jq -r '.stage[\"filtered-init\"].calls[].name' | xargs",
    )


@maker("tracing-strace")
def with_strace(lab: Lab) -> str:
    """Show ptrace: the calls from the load of the filter to the exec of its process."""
    return session(
        lab,
        "strace -ff -qq -e signal=none -o strace runc run --bundle box box",
        "init=$(grep -l 'PR_SET_SECCOMP, SECCOMP_MODE_FILTER.* = 0$' strace.*); "
        "sed -n '/PR_SET_SECCOMP, .* = 0$/,/execve/p' $init | sed '1d; s/(.*//' | sort -u | xargs",
    )


@maker("tracing-ftrace")
def with_ftrace(lab: Lab) -> str:
    """Show the raw_syscalls events, by number: 157 is prctl, 59 execve."""
    return session(
        lab,
        "./ftrace start.ftrace runc run --bundle box box",
        'awk \'{sub(".*-", "", $1)} /NR 157 .16, 2,/ {init = $1} $1 == init {print $7}\' '
        "start.ftrace | "
        "sed '1d; /^59$/q' | sort -nu | xargs",
    )


@maker("tracing-ftrace-names")
def names_of_ftrace(lab: Lab) -> str:
    """Look names up as ftrace does, when the buffer is read: after the exec, the program's."""
    load = "sed -n 's/^ *//; /NR 157 (16, 2,/s/ .*sys_enter/ … sys_enter/p' {}"
    return session(
        lab,
        "./ftrace live.ftrace runc run --bundle box box",
        load.format("live.ftrace"),
        "./ftrace -a after.ftrace runc run --bundle box box",
        load.format("after.ftrace"),
    )


@maker("tracing-costs")
def costs(lab: Lab) -> str:
    """Show the tracers' costs: the benchmark's own table."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.record", "30"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return fenced("\n".join(map(processor_time, done.stdout.splitlines())))


def processor_time(line: str) -> str:
    """Return a row without its wall time, which depends more on the rest of the machine."""
    if "CPU" in line:
        return f"{'':<24} {'':<16} {'CPU':>8}   to native"
    return line if line.endswith("ms") or line.startswith("(") else line[:50]
