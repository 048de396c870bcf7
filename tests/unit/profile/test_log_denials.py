"""The flags by which the kernel logs denials, and the runtimes that refuse them."""

from __future__ import annotations

import msgspec
import pytest

from seclatch.model.profile.profile import Profile
from seclatch.model.recording.origin import Software
from seclatch.profile.generate.log_denials import (
    LOG_FLAGS,
    add_log_flags,
    list_refusing_runtimes,
)
from tests.unit.report.starts import start


@pytest.mark.parametrize("flags", [None, ()])
def test_flags_are_added_once(flags: tuple[str, ...] | None) -> None:
    assert add_log_flags(Profile("SCMP_ACT_ERRNO", flags=flags)).flags == LOG_FLAGS


def test_a_mitigation_that_was_chosen_is_kept() -> None:
    for flags in (("SECCOMP_FILTER_FLAG_TSYNC",), ("SECCOMP_FILTER_FLAG_LOG",)):
        added = add_log_flags(Profile("SCMP_ACT_ERRNO", flags=flags)).flags
        assert added == tuple(dict.fromkeys((*flags, "SECCOMP_FILTER_FLAG_LOG")))


@pytest.mark.parametrize(
    ("version", "refuses"),
    [
        ("runc version 1.1.15+ds1", True),
        ("runc version 1.0.0-rc93", True),
        ("runc version 1.2.0", False),
        ("runc version 1.10.1", False),
        ("runc version 2.0", False),
        ("", False),
    ],
)
def test_runtimes_that_refuse(version: str, refuses: bool) -> None:
    runtime = Software(stage="runtime", name="runc", path="/usr/bin/runc", version=version)
    recording = msgspec.structs.replace(start(latched=True), software=[runtime])
    assert bool(list(list_refusing_runtimes([recording]))) is refuses
    crun = msgspec.structs.replace(runtime, name="crun")
    recording = msgspec.structs.replace(recording, software=[crun])
    assert not list(list_refusing_runtimes([recording]))
