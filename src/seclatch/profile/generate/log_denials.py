"""Have the kernel log what a profile denies, by the profile's flags.

`seclatch watch --cheap` sees an ERRNO only of filters that were loaded so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from seclatch.model.profile.profile import Profile
from seclatch.model.recording.recording import Recording

_LOG = "SECCOMP_FILTER_FLAG_LOG"
# SPEC_ALLOW is what runtimes choose for a profile without flags: with flags, only those hold. A
# profile that names flags has left it out on purpose.
LOG_FLAGS = (_LOG, "SECCOMP_FILTER_FLAG_SPEC_ALLOW")

_FIRST_RUNC = (1, 2)
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")


def add_log_flags(profile: Profile) -> Profile:
    """Return the profile with the flags, and those that it has."""
    if not profile.flags:
        return replace(profile, flags=LOG_FLAGS)
    return replace(profile, flags=tuple(dict.fromkeys((*profile.flags, _LOG))))


def list_refusing_runtimes(recordings: Iterable[Recording]) -> Iterator[str]:
    """Yield a warning for each recorded runtime that refuses a profile with flags."""
    found = {
        software.version
        for recording in recordings
        for software in recording.software
        if software.name == "runc" and _is_before(software.version, _FIRST_RUNC)
    }
    for version in sorted(found):
        yield f"{version} refuses a profile with flags, as runc before 1.2 does; crun takes it"


def _is_before(version: str, wanted: tuple[int, int]) -> bool:
    match = _VERSION.search(version)
    return match is not None and (int(match[1]), int(match[2])) < wanted
