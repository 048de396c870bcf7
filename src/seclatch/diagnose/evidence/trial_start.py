"""Observe which calls a runtime makes under its filter, in a throwaway container with the latch."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seclatch.diagnose.evidence.run_evidence import name_seen
from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.stage import Stage
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.recording.attribution.attribution import drop_unrelated
from seclatch.recording.backends.bpf.detail_events import Sights
from seclatch.recording.record_command import record_command
from seclatch.recording.recorder import RecordOptions
from seclatch.recording.trace.assign_stages import StageAssignment, assign_stages
from seclatch.recording.trace.trace import Trace

if TYPE_CHECKING:
    from seclatch.diagnose.evidence.container_bundles import BundleContainer

_SECONDS = 15.0
QUIETLY = ("/bin/sh", "-c", 'exec "$@" </dev/null >/dev/null 2>&1', "sh")
"""Prefix that runs a command without this process's terminal and output."""

_PR_SET_SECCOMP = 22

# Under the latch no filter applies, so any profile shows what `exec` does after loading it; under
# the given profile the container that it enters might end before.
_ANY_PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}],
}
# `$1` the latch, `$2` the container's name, `$3` options of `exec`, then what starts the container.
# Its state and control groups are as the mount namespace of `seclatch run` has them.
_EXEC_SCRIPT = """
latch=$1 name=$2 options=$3; shift 3
"$@" & run=$!
within() { nsenter --mount="/proc/$run/ns/mnt" "$latch" "$@"; }
until within exec $options "$name" /bin/true; do
    kill -0 $run || exit 1
    sleep 0.05
done
within kill "$name" KILL
wait
"""


@dataclass(frozen=True, slots=True)
class IssuedCall:
    """A call that a runtime made, with its arguments as a filter would see them."""

    syscall: Syscall
    args: tuple[int, ...]


def try_start(runtime: str, container: BundleContainer) -> list[IssuedCall]:
    """Return the runtime's calls in a throwaway container under the latch; [] if impossible."""
    if container.profile is None:
        return []
    from seclatch.profile.export import oci

    with tempfile.TemporaryDirectory(prefix="seclatch-explain-") as folder:
        profile = Path(folder) / "profile.json"
        profile.write_bytes(oci.write(container.profile).text.encode())
        return _record_calls(
            make_trial_command(runtime, profile, container, latched=True), joined=False
        )


def try_exec(runtime: str, container: BundleContainer) -> list[IssuedCall]:
    """Return the calls of an exec session in a throwaway container."""
    from seclatch.runtime.find_latch import find_latch

    uid, gid = container.user
    quiet = "--no-new-privs " if container.no_new_privileges else ""
    name = f"seclatch-explain-{os.urandom(6).hex()}"
    with tempfile.TemporaryDirectory(prefix="seclatch-explain-") as folder:
        profile = Path(folder) / "profile.json"
        profile.write_text(json.dumps(_ANY_PROFILE))
        words = (
            sys.executable,
            "-m",
            "seclatch",
            "run",
            "--runtime",
            runtime,
            "--no-tty",
            "--profile",
            str(profile),
            "--name",
            name,
            "--",
            "/bin/sleep",
            str(int(_SECONDS)),
        )
        options = f"{quiet}--user {uid}:{gid}"
        try:
            latch = str(find_latch(runtime))
        except SeclatchError:
            return []
        return _record_calls(
            ("/bin/sh", "-c", _EXEC_SCRIPT, "sh", latch, name, options, *words), joined=True
        )


def prepare_trial() -> None:
    """Make the root directory of throwaway containers.

    Raises SeclatchError: of a command that makes it, the same text would be taken for the
    container's.
    """
    from seclatch.runtime.container_rootfs import make_minimal_rootfs

    make_minimal_rootfs()


def make_trial_command(
    runtime: str, profile: Path, container: BundleContainer, *, latched: bool
) -> tuple[str, ...]:
    """Return the command of a throwaway container that is like the given one in what matters."""
    uid, gid = container.user
    return (
        sys.executable,
        "-m",
        "seclatch",
        "run",
        "--runtime",
        runtime,
        "--profile",
        str(profile),
        "--no-tty",
        *([] if latched else ["--plain"]),
        *(["--no-new-privs"] if container.no_new_privileges else []),
        *(["--user", f"{uid}:{gid}"] if (uid, gid) != (0, 0) else []),
        "--",
        "/bin/true",
    )


def _record_calls(words: Sequence[str], *, joined: bool) -> list[IssuedCall]:
    sights = Sights()
    traces: list[Trace] = []
    options = RecordOptions(seconds=_SECONDS, sights=sights, watch=traces.append)
    try:
        record_command((*QUIETLY, *words), options)
    except (SeclatchError, OSError):
        return []
    return list(_list_filtered_calls(traces[-1], sights, joined=joined)) if traces else []


def _list_filtered_calls(trace: Trace, sights: Sights, *, joined: bool) -> Iterator[IssuedCall]:
    """Yield the calls of init under its filter, without the one that loads it."""
    native = Arch.native()
    stages = _select_stages(assign_stages(drop_unrelated(trace)), joined=joined)
    for seen in sights.calls:
        if stages.get(seen.segment) is Stage.FILTERED_INIT:
            call = name_seen(native, seen)
            loads = call.name == "seccomp" or (
                call.name == "prctl" and seen.args[0] == _PR_SET_SECCOMP
            )
            if not loads and call.name:
                yield IssuedCall(call, seen.args)
    if Stage.PROGRAM in stages.values():
        # A successful exec returns in the program, so it is not among these calls.
        yield IssuedCall(
            Syscall(native, load_syscalls(native).numbers["execve"], "execve"), (0,) * 6
        )


def _select_stages(staging: StageAssignment, *, joined: bool) -> dict[int, Stage]:
    """Return the stages of the container's start, or of the session that joined it."""
    wanted = {n for n, session in enumerate(staging.sessions) if session.joined == joined}
    return {
        segment: stage
        for segment, stage in staging.stages.items()
        if staging.session_of.get(segment) in wanted
    }
