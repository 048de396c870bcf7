"""The system call tables are what their tool makes of the sources."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls

ROOT = Path(__file__).resolve().parents[2]


def installed(package: str) -> str:
    show = ["dpkg-query", "-W", "-f", "${Version}", package]
    return subprocess.run(show, check=True, capture_output=True, text=True).stdout


def test_tables_are_current() -> None:
    """They equal the script's output for the same libseccomp and kernel headers."""
    source = load_syscalls(Arch.X86_64).source
    if not (
        installed("libseccomp2").startswith(source["libseccomp"])
        and installed("linux-libc-dev").startswith(f"{source['linux']}.")
    ):
        pytest.skip(f"this host has other versions than the tables' source {source}")
    check = [sys.executable, "tools/syscall_tables.py", "--check"]
    done = subprocess.run(
        check, cwd=ROOT, env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
