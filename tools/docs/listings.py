"""The listings of how-seccomp-gets-into-a-container.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from seclatch.model.recording.recording import Recording
from seclatch.model.stage import Stage
from seclatch.report.document.process_history import FILTERED, UNFILTERED, make_histories
from seclatch.report.document.process_names import name_process
from seclatch.report.timeline.timeline_lanes import list_ancestors
from tests.latch.oci import created, running
from tools.docs.lab import Lab, bare

Maker = Callable[[Lab], str]
MAKERS: dict[str, Maker] = {}
RUNTIMES = ("runc", "crun")
STARTS = 4
"""Recorded starts for each row of a table of calls: what is in all of them is `always`."""

# Go's scheduler and signals decide whether runc issues these; they are in no list here.
SOMETIMES = {"futex", "rt_sigreturn", "nanosleep", "sched_yield", "tgkill", "madvise"}


def maker(name: str) -> Callable[[Maker], Maker]:
    """Register a function under the name of a listing."""

    def register(function: Maker) -> Maker:
        MAKERS[name] = function
        return function

    return register


def fenced(text: str, language: str = "") -> str:
    """Write text unchanged."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def shell(lab: Lab, *commands: str) -> str:
    """Show commands with their output."""
    lines = []
    for command in commands:
        lines += [f"$ {command}", lab.run("sh", "-c", command).rstrip()]
    return fenced("\n".join(line for line in lines if line))


@maker("chain")
def chain(lab: Lab) -> str:
    """List which process starts which, and the state in which each ends."""
    recording = lab.record_docker("sleep", "0.1")
    made = make_histories(recording)
    parents = {each.id: each for each in recording.processes}
    [session] = recording.sessions
    counts: Counter[int | None] = Counter()
    for call in recording.calls:
        counts[call.process] += call.count
    chain_ids = set(list_ancestors(session.process, made))
    # Other engines of this machine may run too, and do more meanwhile.
    ours = lab.daemons()
    daemons = {each.id for each in recording.processes if each.found_running and each.pid in ours}
    clients = [id_ for id_ in made if name_process(parents[id_], parents).startswith("docker run")]
    wanted = {*chain_ids, *daemons, *clients}
    order = [stage.value for stage in Stage]
    lines = [f"{'stage':<10}{'process':<44}{'Seccomp, at its end':<22}calls"]
    for id_ in sorted(wanted, key=lambda one: (order.index(made[one].stage), made[one].begin)):
        name = name_process(parents[id_], parents)
        name = name if len(name) < 42 else name[:41] + "…"
        state = {UNFILTERED: "0 (none)", FILTERED: "2 (filter)"}[made[id_].state]
        lines.append(f"{made[id_].stage:<10}{name:<44}{state:<22}{counts[id_]:,}")
    return fenced("\n".join(lines))


@maker("threads")
def threads(lab: Lab) -> str:
    """List the threads of a waiting init that have the filter, between create and start."""
    lines = []
    for name in RUNTIMES:
        with lab.bundle("/bin/sleep", "60") as bundle, created(bare(name), bundle) as pid:
            lines.append(f"$ {name} create …; grep -h Seccomp: /proc/$PID/task/*/status")
            lines += seccomp_of(pid, f"{name} init")
        with lab.bundle("/bin/sleep", "60") as bundle, running(bare(name), bundle) as pid:
            lines.append(f"$ {name} start …; grep -h Seccomp: /proc/$PID/task/*/status")
            lines += seccomp_of(pid, "sleep")
    return fenced("\n".join(lines))


def seccomp_of(pid: int, name: str) -> list[str]:
    """Return a line for the main thread, and one for the others together."""
    states = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        found = re.search(r"^Seccomp:\t(\d)", (task / "status").read_text(), re.MULTILINE)
        states[int(task.name)] = int(found[1]) if found else -1
    lines = [f"Seccomp: {states.pop(pid)}    the main thread of {name}"]
    for state, count in sorted(Counter(states.values()).items()):
        lines.append(f"Seccomp: {state}    {words(count)} of its other threads")
    return lines


def words(count: int) -> str:
    """Describe the number in words, since it varies."""
    return "each" if count > 1 else "one"


@maker("loading")
def loading(lab: Lab) -> str:
    """Show the call that loads the filter up to the program's exec, as strace prints it."""
    parts = []
    for name in RUNTIMES:
        with lab.bundle("/bin/true") as bundle:
            log = lab.folder / f"{name}.strace"
            command = bare(name).argv("run", "--bundle", str(bundle.path), bundle.id)
            calls = "trace=seccomp,prctl,execve,capset,setuid,setresuid"
            strace = ["strace", "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", log]
            lab.run(*strace, *command)
            parts.append(f"# {name}\n" + "\n".join(around_the_load(log.read_text())))
    return fenced("\n\n".join(parts))


def around_the_load(log: str) -> list[str]:
    """Return the lines of the process that loads the filter, from its first try to its exec."""
    lines = [line.split(None, 1) for line in log.splitlines()]
    load = re.compile(r"(PR_SET_SECCOMP|SECCOMP_SET_MODE_FILTER).*= 0$")
    loaders = {pid for pid, call in lines if load.search(call) and "NULL" not in call}
    shown, found = [], False
    for pid, call in lines:
        found = found or (pid in loaders and "SECCOMP" in call)
        interesting = re.search(r"SECCOMP|execve|capset|setuid|setresuid|NO_NEW_PRIVS", call)
        if pid in loaders and found and interesting:
            text = re.sub(r"filter=0x[0-9a-f]+", "filter=…", call)
            text = re.sub(r"0x[0-9a-f]{6,}.*? vars \*/", "…", text)
            text = re.sub(r"\{effective=.*?\}", "{…}", text)
            if not shown or shown[-1] != text:
                shown.append(text)
    return shown


@maker("needs")
def needs(lab: Lab) -> str:
    """List the calls of each runtime between loading the filter and the program's exec."""
    lines = ["| | calls |", "|---|---|"]
    for name in RUNTIMES:
        for option, label in ((), "off"), (("--no-new-privs",), "on"):
            always = lab_calls(lab, name, option)
            lines.append(f"| {name}, no_new_privs {label} | {' '.join(sorted(always))} |")
    return "\n".join(lines) + "\n"


def lab_calls(lab: Lab, runtime: str, options: Iterable[str]) -> set[str]:
    """Return the calls of filtered-init that are in every one of some starts."""
    found: list[set[str]] = []
    for _ in range(STARTS):
        recording = lab.record(
            "seclatch",
            "run",
            "--plain",
            "--runtime",
            runtime,
            *options,
            "--profile",
            lab.allow,
            "--",
            "true",
        )
        found.append(under_filter(recording))
    return set.intersection(*found) - SOMETIMES


def under_filter(recording: Recording) -> set[str]:
    """Return the calls of filtered-init."""
    stage = Stage.FILTERED_INIT.value
    return {each.name for each in recording.calls if each.stage == stage}


@maker("trips")
def trips(lab: Lab) -> str:
    """Show the error of a profile that does not allow the runtime's calls.

    On a busy machine runc sometimes needs a futex first, and crashes with pages of output.
    """
    for _ in range(5):
        text = shell(
            lab,
            "seclatch run --plain --runtime runc --profile stali-like.json -- true",
            "seclatch run --plain --runtime crun --profile stali-like.json -- true",
        )
        if "error closing exec fds" in text:
            break
    return text


@maker("latched")
def latched(lab: Lab) -> str:
    """Show the same with the latch."""
    return shell(
        lab,
        "seclatch run --profile stali-like.json -- grep Seccomp /proc/self/status",
        "seclatch run --profile stali-like.json -- mkdir /tmp/new",
    )


@maker("inherited")
def inherited(lab: Lab) -> str:
    """Show that a child of the program has the filter without loading it again."""
    return shell(
        lab,
        "seclatch run --profile stali-like.json -- "
        "sh -c '(grep Seccomp: /proc/self/status); grep Seccomp: /proc/1/status'",
    )


@maker("shim")
def shim(lab: Lab) -> str:
    """List engines, shim and program of a running container, from /proc."""
    docker = lab.docker
    container = docker.detach("/bin/sleep", "60")
    lines = []
    try:
        program = docker.pid(container)
        for pid in [*parents(docker, program), program]:
            name = (docker.host.proc(pid) / "comm").read_text().strip()
            status = docker.host.status(pid)
            lines.append(
                f"{name:<18} Seccomp: {status['Seccomp']}   Seccomp_filters: "
                f"{status['Seccomp_filters']}"
            )
    finally:
        docker.remove(container)
    return fenced("\n".join(lines))


def parents(docker: object, pid: int) -> list[int]:
    """Return daemons and shim of the container, by name: the shim descends from none."""
    found: dict[str, int] = {}
    shim = int(docker.host.status(pid)["PPid"])  # type: ignore[attr-defined]
    for folder in docker.host.path("/proc").glob("[0-9]*"):  # type: ignore[attr-defined]
        name = (folder / "comm").read_text().strip()
        if name in ("dockerd", "containerd"):
            found[name] = int(folder.name)
    return [*(found[name] for name in ("dockerd", "containerd") if name in found), shim]
