"""Run a command, or a throwaway container, in detail mode and explain its failure."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from seclatch.diagnose.build_explanation import build_explanation
from seclatch.diagnose.evidence.container_bundles import BundleContainer
from seclatch.diagnose.evidence.trial_start import QUIETLY, make_trial_command, prepare_trial
from seclatch.diagnose.observe_command import UPDATE_INTERVAL, observe_command
from seclatch.model.explanation import Explanation
from seclatch.model.recording.recording import Recording
from seclatch.recording.recorder import RecordOptions

ConfirmMode = Literal["auto", "always", "never"]

_TRIAL_SECONDS = 15
"""Seconds until a throwaway container is killed."""


def explain_command(
    args: tuple[str, ...],
    seconds: float | None,
    notify: Callable[[str], None],
    *,
    query_images: bool = False,
    confirm: ConfirmMode = "never",
) -> tuple[int, Explanation, Recording]:
    """Run the command and return its exit status, the explanation and the recording.

    Raises SeclatchError. `query_images`: ask engines for the images of containers, for the
    recording. `confirm`: run the command again with the denied calls allowed, where possible
    (always), or where that leaves nothing and reaches nothing (auto).
    """
    confirmation = None
    if confirm != "never":
        from seclatch.diagnose.confirm_command import CommandConfirmation

        confirmation = CommandConfirmation(args, notify, automatic=confirm == "auto")
    options = RecordOptions(
        seconds,
        notify=notify,
        interval=UPDATE_INTERVAL,
        kill_on_repeat=True,
        query_images=query_images,
        on_stop=confirmation.note_interrupt if confirmation else lambda: None,
    )
    evidence, recording = observe_command(args, options)
    judge = confirmation.confirm if confirmation else None
    return evidence.status, build_explanation(evidence, judge), recording


def try_profile(
    profile: Path, runtime: str, *, no_new_privs: bool
) -> tuple[Explanation, Recording]:
    """Explain the start of /bin/true in a throwaway container under the profile, without the latch.

    Raises SeclatchError. A runtime that hangs under the profile is killed.
    """
    from seclatch.profile.parse.load_profile import parse_profile
    from seclatch.profile.parse.profile_source import read_source

    source = read_source(profile)
    parse_profile(
        source.text(), source.name
    )  # report errors in the profile before anything is started
    throwaway = BundleContainer(str(profile), None, no_new_privs)
    with _keep_readable(profile, source.data) as file:
        return try_container(throwaway, file, runtime, latched=False)


def try_container(
    container: BundleContainer, file: Path, runtime: str, *, latched: bool
) -> tuple[Explanation, Recording]:
    """Explain the start of /bin/true in a throwaway container like this one, under file's profile.

    `source` of the container is the profile's name for remedies. Raises SeclatchError.
    """
    prepare_trial()
    quiet = ("--no-new-privs",) if container.no_new_privileges else ()
    plain = () if latched else ("--plain",)
    options = (*plain, "--runtime", runtime, *quiet, "--profile", container.source)
    shown = ("seclatch", "run", *options, "--", "/bin/true")
    words = make_trial_command(runtime, file, container, latched=latched)
    command = (*QUIETLY, "timeout", "--signal=KILL", str(_TRIAL_SECONDS), *words)
    recorded = RecordOptions(interval=UPDATE_INTERVAL, kill_on_repeat=True, query_images=False)
    evidence, recording = observe_command(command, recorded, shown)
    return build_explanation(evidence), recording


@contextlib.contextmanager
def _keep_readable(profile: Path, content: bytes) -> Iterator[Path]:
    """Yield a path that can be read again: a pipe or standard input is empty by now."""
    if profile.is_file():
        yield profile.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="seclatch-explain-") as folder:
        file = Path(folder, "profile.json")
        file.write_bytes(content)
        yield file
