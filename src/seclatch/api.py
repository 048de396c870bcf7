"""The Python interface: `import seclatch`. See docs/api.md.

Every function raises `SeclatchError` for what a user can do something about: `str(error)` says what
was being done and why it failed, `error.remedy` what to do. `InputError`, one of them, is for
profiles that cannot be read, and names the place.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seclatch.apply import launch, loadable
from seclatch.apply.loadable import Loadable
from seclatch.errors import SeclatchError
from seclatch.model.profile.profile import Profile
from seclatch.profile.parse.load_profile import load_profile as _load
from seclatch.profile.parse.load_profile import parse_profile

if TYPE_CHECKING:
    from seclatch.model.explanation import Explanation
    from seclatch.model.recording.recording import Recording

Word = str | os.PathLike[str]
Source = Profile | Loadable | Word
"""What can stand for a profile: one that was read, a compiled one, or the path of either."""


class Recorded(NamedTuple):
    """A command's exit status (128+N for signal N), and what it did."""

    status: int
    recording: Recording


class Explained(NamedTuple):
    """A command's exit status (128+N for signal N), and why it is so."""

    status: int
    explanation: Explanation


def load(path: Word) -> Profile:
    """Read a profile: Docker's, Podman's and OCI's JSON (a config.json too), Kubernetes' YAML."""
    return _load(Path(path))


def loads(text: str, name: str = "the profile") -> Profile:
    """Read a profile's text; `name` is what errors call it."""
    return parse_profile(text, name)


def compile(profile: Profile) -> Loadable:
    """Compile for this process: conditions resolved for this host and its capabilities.

    `.code` is the BPF program (`struct sock_filter[]`, 8 bytes each, this machine's byte order).
    """
    return loadable.compile_loadable(profile)


def start(
    args: Sequence[Word], profile: Source, *, allow_exec: bool = False, **options: Any
) -> subprocess.Popen[Any]:
    """Start a program under a profile, from its first instruction; no privileges needed.

    `options` are those of subprocess.Popen but for `shell` and `executable`. The pid is the
    program's own. Status 125: nothing was started, and its stderr says why; 126: not executable;
    127: not found.
    """
    return launch.start_program(_ready(profile), args, allow_exec=allow_exec, **options)


def run(
    args: Sequence[Word], profile: Source, *, allow_exec: bool = False, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Run a program under a profile until it ends.

    `options` are those of subprocess.run but for `shell` and `executable`.
    """
    return launch.run_program(_ready(profile), args, allow_exec=allow_exec, **options)


def record(args: Sequence[Word], *, seconds: float | None = None) -> Recorded:
    """Run a command and record the system calls that it and its descendants make, by stage.

    By eBPF for root (CAP_BPF, CAP_PERFMON); else by ptrace. `seconds`: record no longer than that.
    """
    from seclatch.recording.record_command import record_command
    from seclatch.recording.recorder import RecordOptions

    return Recorded(*record_command(_command(args), RecordOptions(seconds)))


def explain(args: Sequence[Word], *, seconds: float | None = None) -> Explained:
    """Run a command and explain why it fails, and whether seccomp is the cause. Takes root."""
    from seclatch.diagnose import explain_command

    status, explanation, _ = explain_command.explain_command(
        _command(args), seconds, lambda _: None
    )
    return Explained(status, explanation)


def _command(args: Sequence[Word]) -> tuple[str, ...]:
    """Return the arguments of a command. Raises SeclatchError for what is none."""
    if isinstance(args, str | bytes | os.PathLike):
        raise SeclatchError(
            f"running a command: {args!r} is one word, not a list of them",
            remedy='give a list: ["ls", "-l"], or ["sh", "-c", "…"] for a shell\'s line',
        )
    if not args:
        raise SeclatchError("running a command: it has no words", remedy="give its program first")
    return tuple(os.fspath(word) for word in args)


def _ready(profile: Source) -> Loadable:
    if isinstance(profile, Loadable):
        return profile
    if isinstance(profile, Profile):
        return loadable.compile_loadable(profile)
    return loadable.read_loadable(Path(profile))
