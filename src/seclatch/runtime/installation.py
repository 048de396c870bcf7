"""How this seclatch was installed, for the command that adds Python packages to it."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
import sysconfig
from pathlib import Path

SCAN_PACKAGES = ("iced-x86", "numpy", "zstandard")
"""The extra `scan` in pyproject.toml."""

# Where pipx keeps its environments unless PIPX_HOME says so; the second until pipx 1.2.
_PIPX_HOMES = (".local/share/pipx", ".local/pipx")


def command_to_add(*packages: str) -> str:
    """Return the command line that installs packages where this seclatch can import them."""
    words = shlex.join(packages)
    if (Path(sys.prefix) / "pipx_metadata.json").is_file():
        return f"{_pipx_home()}pipx inject {shlex.quote(Path(sys.prefix).name)} {words}"
    if sys.prefix != sys.base_prefix and importlib.util.find_spec("pip") is None:
        return f"pipx install seclatch && pipx inject seclatch {words}"  # Debian 12's package
    pip = f"{shlex.quote(sys.executable)} -m pip install"
    if sys.prefix == sys.base_prefix and _is_externally_managed():
        return f"{pip} --break-system-packages {words} (or install seclatch by pipx)"
    return f"{pip} {words}"


def _pipx_home() -> str:
    """Set PIPX_HOME if pipx would look elsewhere; environments are in its folder `venvs`."""
    home = Path(sys.prefix).parents[1]
    if home in [Path.home() / name for name in _PIPX_HOMES] and "PIPX_HOME" not in os.environ:
        return ""
    return f"PIPX_HOME={shlex.quote(str(home))} "


def _is_externally_managed() -> bool:
    """Return whether pip refuses to install here without being forced (PEP 668)."""
    return (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").is_file()
