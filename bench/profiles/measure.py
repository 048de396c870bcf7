"""Sizes of a profile: the calls that it allows, and the CVEs that it blocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.profile.meaning import rule_meaning
from seclatch.profile.parse.load_profile import parse_profile

TABLE = Path(__file__).parent / "data/cve36.tsv"


def allowed(profile: dict[str, Any]) -> set[str]:
    """Return the calls of x86-64 that are allowed for some arguments."""
    read = rule_meaning.read_meaning(parse_profile(json.dumps(profile), "profile"), Arch.X86_64)
    return {name for name in load_syscalls(Arch.X86_64).numbers if read.may_execute(name)}


def cves() -> dict[str, set[str]]:
    """Read SysPart's table of 36 kernel CVEs and the calls that their exploits need."""
    lines = TABLE.read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {cve: set(calls.split()) for cve, calls in rows}


def cut(profile: dict[str, Any]) -> int:
    """Count the CVEs of which all listed calls are denied."""
    names = allowed(profile)
    return sum(not calls & names for calls in cves().values())
