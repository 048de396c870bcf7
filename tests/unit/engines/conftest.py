from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.engines.tree import Tree


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Make a system tree with both runtimes, and latches to install into it."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in ("seclatch-runc", "seclatch-crun", "seclatch-tighten"):
        (scripts / name).write_bytes(b"\x7fELF the latch")
        (scripts / name).chmod(0o755)
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(scripts))
    top = tmp_path / "system"
    for name in ("runc", "crun"):
        (top / "usr/bin").mkdir(parents=True, exist_ok=True)
        (top / "usr/bin" / name).write_text("#!/bin/false\n")
        (top / "usr/bin" / name).chmod(0o755)
    return Tree(top)
