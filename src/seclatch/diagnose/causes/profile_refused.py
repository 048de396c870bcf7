"""The profile itself was refused: by the engine, by the runtime or by the kernel."""

from __future__ import annotations

import re

from seclatch.diagnose.subject import Found, Subject
from seclatch.diagnose.words import plain
from seclatch.model import errno
from seclatch.model.stage import Stage

_WORDS = re.compile(
    r"seccomp (filter|profile|rule|agent|listener|notif)|seccomp_(rule|load|init|arch|export|attr)|"
    r"seccomp: |loading seccomp|SCMP_|`seccomp|libseccomp|seccomp config|listenerPath",
    re.IGNORECASE,
)
_EFAULT = 14  # libseccomp probes with no program at all


def find(subject: Subject) -> Found | None:
    """Nothing was entered, and somebody says that it is the profile."""
    if any(each not in subject.unstarted for each in subject.evidence.staging.sessions):
        return None
    if not subject.evidence.status or subject.denials.all:
        return None
    for message in reversed(subject.outside):
        if _WORDS.search(message.text):
            return Found(
                True,
                "profile-refused",
                f"{message.program} refused the seccomp profile: {plain(message.text)}",
                message.stage.value,
                _loads(subject),
            )
    return None


def _loads(subject: Subject) -> list[str]:
    evidence = subject.evidence
    failed = subject.failing_calls(
        lambda each: (
            evidence.name(each).name == "seccomp"
            and each.errno != _EFAULT
            and evidence.stage(each.segment) in (Stage.INIT, Stage.RUNTIME)
        )
    )
    return [f"seccomp(2) failed with {errno.name(each.errno)}" for each in failed[:1]]
