"""Find which filters a systemd unit's settings make: read from systemd, compile, compare."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Set

from seclatch.process import systemd_settings
from seclatch.process.containers.containerd_containers import PATH
from seclatch.system.procfs import ProcEntry

SECONDS = 3.0
_MAX_UNITS = 256
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}\.service")


def find_unit(entry: ProcEntry) -> str:
    """Return the systemd service whose control group a process is in, "" if it is in none."""
    for path in entry.cgroups:
        last = path.rpartition("/")[2]
        if _UNIT.fullmatch(last):
            return last
    return ""


def find_settings(
    codes: Set[bytes], entries: Mapping[int, ProcEntry], held: Iterable[int], notes: list[str]
) -> dict[str, dict[bytes, str]]:
    """Return the settings that make the programs `codes`, by unit and program.

    For the units of the processes in `held`. Only process 1 is asked, and only as root: it is
    trusted about its own children (decision 0082).
    """
    first = entries.get(1)
    if not codes or first is None or first.status.comm != "systemd" or os.geteuid():
        return {}
    children = (entries[pid] for pid in held if pid in entries and entries[pid].status.parent == 1)
    units = sorted({unit for entry in children if (unit := find_unit(entry))})[:_MAX_UNITS]
    try:
        shown = list(_read_settings(units)) if units else []
        groups = _read_groups() if shown else {}
    except (OSError, subprocess.SubprocessError) as error:
        notes.append(f"systemd did not return its units' settings: {error}")
        return {}
    return _compile_units(shown, groups, codes, notes)


def _compile_units(
    shown: Iterable[dict[str, str]],
    groups: Mapping[str, list[str]],
    codes: Set[bytes],
    notes: list[str],
) -> dict[str, dict[bytes, str]]:
    deadline = time.monotonic() + SECONDS
    found: dict[str, dict[bytes, str]] = {}
    for settings in shown:
        if time.monotonic() > deadline:
            notes.append(f"compiling units' settings took over {SECONDS:.0f} s: not all were")
            break
        programs = systemd_settings.compile_settings(settings, groups)
        found[settings["Id"]] = {code: name for name, code in programs if code in codes}
    return found


def _read_settings(units: list[str]) -> Iterator[dict[str, str]]:
    """Yield the settings of each unit; systemctl separates them by empty lines."""
    wanted = ",".join(("Id", *systemd_settings.SETTINGS))
    for block in _run_tool("systemctl", "show", f"--property={wanted}", "--", *units).split("\n\n"):
        settings = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in settings:
            yield settings


def _read_groups() -> dict[str, list[str]]:
    """Return the calls of the groups that settings stand for, as this systemd defines them."""
    groups: dict[str, list[str]] = {}
    members: list[str] = []
    wanted = (systemd_settings.KNOWN, *systemd_settings.GROUPS.values())
    for line in _run_tool("systemd-analyze", "syscall-filter", "--no-pager", *wanted).splitlines():
        if line.startswith("@"):
            members = groups.setdefault(line.strip(), [])
        elif line.strip()[:1] not in ("", "#", "@"):
            members.append(line.strip())
    return groups


def _run_tool(name: str, *words: str) -> str:
    program = shutil.which(name, path=PATH)
    if program is None:
        raise FileNotFoundError(f"{name} is not installed")
    done = subprocess.run(
        [program, *words],
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=SECONDS,
        check=True,
        stdin=subprocess.DEVNULL,
        env={"PATH": PATH, "LC_ALL": "C", "SYSTEMD_COLORS": "0"},
    )
    return done.stdout
