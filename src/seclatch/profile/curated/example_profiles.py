"""Example profiles that ship with the package."""

from __future__ import annotations

from seclatch.data import DATA

EXAMPLES = {
    "strict": "some ninety calls, nothing for a runtime; the rest gets EPERM",
    "exit-only": "exit_group, and death for the rest: the hardest profile there is",
    "log-all": "allows every call, and the kernel logs each one (dmesg, auditd)",
}
"""Name -> one line of description; the profile is NAME.json of data/examples."""


def read_example(name: str) -> bytes:
    """Read an example, in Docker's format. Raises KeyError for a name that EXAMPLES lacks."""
    if name not in EXAMPLES:
        raise KeyError(name)
    return (DATA / "examples" / f"{name}.json").read_bytes()
