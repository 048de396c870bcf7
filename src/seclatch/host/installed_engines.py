"""Check the container engines, and whether the latch is installed for them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from seclatch.engines.containerd import Containerd
from seclatch.engines.installation.engine import NAME
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.installation.install_record import InstallRecord, hash_content, load_record
from seclatch.engines.services.annotation_recorder import is_installed, try_recorder
from seclatch.engines.services.annotation_supervisor import try_supervisor
from seclatch.errors import SeclatchError
from seclatch.host.daemon_age import find_listener, find_newer_file
from seclatch.host.engine_trials import choose_containerd_socket, find_daemon_fault, try_engine
from seclatch.host.host_check import CheckState, HostCheck
from seclatch.host.host_programs import find_program, query_program, take_first_line
from seclatch.system.held_file import take_released_files

# engine -> its program; the daemon's where there is one
_PROGRAMS = {"docker": "dockerd", "podman": "podman", "containerd": "containerd", "crio": "crio"}
_PROGRAMS |= {"k3s": "k3s", "rke2": "rke2"}
_SUPERVISED = "/run/seclatch/supervised"
_PODS_ALONE = ("crio", "k3s", "rke2")


def check_engines(root: HostRoot) -> Iterator[HostCheck]:
    """Check each engine; an absent one is reported only if none is present."""
    found = False
    for engine in _PROGRAMS:
        for check in check_engine(engine, root):
            found = True
            yield check
    if not found:
        yield HostCheck(
            "engines", CheckState.NOTE, "neither docker, podman, containerd nor crio found"
        )
    yield from check_abandoned(root)


def check_engine(engine: str, root: HostRoot) -> Iterator[HostCheck]:
    """Report an engine's version and whether `seclatch install` was run for it."""
    program = find_program(_PROGRAMS[engine])
    if program is None:
        return
    version = (
        take_first_line(query_program(program, "--version"))
        or f"{program} does not answer --version"
    )
    try:
        record = load_record(root, engine)
    except SeclatchError as error:
        yield HostCheck(engine, CheckState.NOTE, f"{version}; {error}", error.remedy)
        return
    fault = find_daemon_fault(engine)
    daemon = f"; its daemon does not answer: {fault}" if fault else ""
    start = f"systemctl start {engine}" if fault else ""
    if record is None:
        found = f"{version}; the latch is not installed{daemon}"
        remedy = f"seclatch install {engine}" + (f"; {start}" if start else "")
        yield HostCheck(engine, CheckState.NOTE, found, remedy)
        return
    state = CheckState.NOTE if fault else CheckState.OK
    found = f"{version}; latch installed for {record.runtime}{daemon}"
    yield HostCheck(engine, state, found, start)
    if engine == "containerd":
        yield from check_handler(root)
        yield from check_daemon_age(root, record)
    yield from check_recorder(engine, root)
    yield from check_supervisor(engine, root)
    if not fault and engine not in _PODS_ALONE:
        yield try_engine(engine, record.runtime)


def check_recorder(engine: str, root: HostRoot) -> Iterator[HostCheck]:
    """Try the recorder of annotated containers, where it is installed."""
    name = f"recorder of annotated containers ({engine})"
    problem = try_recorder(root, engine)
    if problem:
        remedy = (
            "systemctl restart seclatch-recorder, and journalctl -u seclatch-recorder for its "
            f"messages; or seclatch install {engine} --record-annotations again, with the other "
            "options as before"
        )
        if not is_installed(root):
            remedy = (
                "kubectl -n seclatch-system get pods; the log of `seclatch record serve` "
                "(container `recorder` of the DaemonSet) says why it does not run"
            )
        yield HostCheck(name, CheckState.NOTE, f"nothing is recorded: {problem}", remedy)
    elif problem is not None:
        yield HostCheck(name, CheckState.OK, "it runs, and answers")


def check_supervisor(engine: str, root: HostRoot) -> Iterator[HostCheck]:
    """Try the supervisor that tightens annotated containers, where it is installed."""
    name = f"supervisor of annotated containers ({engine})"
    problem = try_supervisor(root, engine)
    if problem:
        remedy = (
            f"seclatch install {engine} --tighten-annotations, with the other options as before"
        )
        yield HostCheck(name, CheckState.NOTE, f"nothing is tightened: {problem}", remedy)
    elif problem is not None:
        yield HostCheck(name, CheckState.OK, "starts, by the Python that it was installed with")


def check_abandoned(root: HostRoot) -> Iterator[HostCheck]:
    """Report each container whose supervisor and guard were killed before it was tightened."""
    for file in take_released_files(root.resolve(_SUPERVISED)):
        file.leave()
        name = re.sub(r"[^\w.+-]", "?", file.path.name, flags=re.ASCII)
        yield HostCheck(
            f"container {name[:64]}",
            CheckState.NOTE,
            "its supervisor and the guard of that were killed: if it runs, it is not tightened",
            "restart it, or put its running profile on with `seclatch tighten`; the next container "
            "with seclatch.running on this host does what its seclatch.unready asks for",
        )


def check_daemon_age(root: HostRoot, record: InstallRecord) -> Iterator[HostCheck]:
    """Report a containerd that runs on from before its files were changed."""
    changed = [one for one in record.files if one.installed != hash_content(one.original)]
    try:
        daemon = find_listener(choose_containerd_socket())
        newer = find_newer_file(daemon, (root.resolve(one.path) for one in changed))
    except OSError:
        return  # that it does not answer is reported already
    if newer:
        found = f"the daemon (pid {daemon}) is older than {newer}, which it reads at its start"
        remedy = "systemctl restart containerd (running containers stay)"
        yield HostCheck("configuration (containerd)", CheckState.NOTE, found, remedy)


def check_handler(root: HostRoot) -> Iterator[HostCheck]:
    """Ask containerd whether it reads the CRI handler: a later drop-in may hide it."""
    name = "runtime handler (containerd)"
    try:
        problem = Containerd(root).find_unconfirmed()
    except SeclatchError as error:
        yield HostCheck(name, CheckState.FAIL, str(error), error.remedy)
        return
    if problem is None:
        return  # without CRI there are no handlers
    if problem:
        remedy = "seclatch install containerd && systemctl restart containerd"
        yield HostCheck(name, CheckState.FAIL, f"`containerd config dump`: {problem}", remedy)
        return
    yield HostCheck(name, CheckState.OK, f"`containerd config dump` has the handler {NAME}")
