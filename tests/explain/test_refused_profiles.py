"""Profiles that runtime or kernel reject: the rejecting program, the evidence, the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.explain.conftest import Explain
from tests.explain.corpus import denying
from tests.latch.oci import Bundle, Runtime

pytestmark = pytest.mark.root
Make = Callable[..., Bundle]


def too_long() -> dict[str, Any]:
    """Make a profile of more than BPF_MAXINSNS: each condition takes comparisons of its own."""
    rules = [
        {
            "names": ["prctl"],
            "action": "SCMP_ACT_ERRNO",
            "args": [{"index": 1, "value": number << 32 | number, "op": "SCMP_CMP_EQ"}],
        }
        for number in range(3000)
    ]
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}


UNKNOWN = denying("mkdir") | {"flags": ["SECCOMP_FILTER_FLAG_LOG"]}
FOREIGN = denying("mkdir") | {"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_S390X"]}
UNHEARD = denying("mkdir", action="SCMP_ACT_NOTIFY") | {"listenerPath": "/nobody.sock"}
REFUSED = [
    ("runc", UNKNOWN, "runc", []),
    ("runc", FOREIGN, "runc", []),
    ("crun", FOREIGN, "crun", []),
    ("runc", UNHEARD, "runc", []),
    ("crun", UNHEARD, "crun", []),
    ("runc", too_long(), "the kernel", ["prctl(2) failed with EINVAL"]),
    ("crun", too_long(), "the kernel", ["seccomp(2) failed with EINVAL"]),
]


@pytest.mark.parametrize(("name", "profile", "who", "evidence"), REFUSED)
def test_the_rejecting_program(
    explain: Explain,
    bundle: Make,
    name: str,
    profile: dict[str, Any],
    who: str,
    evidence: list[str],
) -> None:
    """A failed call is shown if it loaded a program, not if it tested for a feature."""
    made = bundle(["/bin/true"], seccomp=profile)
    done = explain(Runtime(name, latched=False).argv("run", "--bundle", made.path, made.id))
    assert done.done.returncode
    assert (done.seccomp, done.cause) == (True, "profile-refused"), done.document
    assert done.document["summary"].startswith(f"{who} refused the seccomp profile: ")
    assert done.document["evidence"] == evidence
    check = done.remedy("profile")["command"]
    assert check == ["seclatch", "profile", "check", f"{made.path}/config.json"]
    agents = [one["text"] for one in done.document["remedies"] if "agent" in one["text"]]
    assert bool(agents) == (profile is UNHEARD)
