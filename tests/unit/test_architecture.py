"""The arrows of ARCHITECTURE.md: imports point one way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent.parent / "src" / "seclatch"

# package -> the packages of ours that it may import; `errors` may be imported by all.
ALLOWED = {
    "model": set(),
    "data": set(),
    "report": {"model"},
    "system": {"model"},
    "filter": {"model"},
    "profile": {"model", "data", "system", "filter"},
    "record": {"model", "system", "filter", "report"},
    "process": {"model", "filter", "profile", "record", "system"},
    "scan": {"model", "data", "system"},
    "runtime": {"model", "profile", "system"},
    "apply": {"model", "profile", "runtime"},
    "engines": {"model", "runtime", "report"},
    "diagnose": {"model", "profile", "filter", "record", "report", "runtime"},
    "host": {"engines", "runtime"},
    "cli": {
        "model", "profile", "filter", "runtime", "engines", "host", "report", "record", "process",
        "apply", "diagnose", "scan",
    },
}  # fmt: skip

# Only these may load foreign libraries or call the kernel by number.
CTYPES = {"system"}


def packages(file: Path) -> set[str]:
    """The seclatch packages that a file imports, and "ctypes"."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            if parts[0] == "seclatch" and len(parts) > 1:
                found.add(parts[1])
            if parts[0] == "ctypes":
                found.add("ctypes")
    return found - {"errors", "__version__"}


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda f: str(f.name))
def test_imports_point_one_way(file: Path) -> None:
    parts = file.relative_to(SOURCE).parts
    if len(parts) == 1:
        return
    package = parts[0]
    imported = packages(file)
    assert imported - {"ctypes"} <= ALLOWED[package] | {package}
    assert "ctypes" not in imported or package in CTYPES
