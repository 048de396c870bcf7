"""Write src/seclatch/data/defaults/*.json: the default profiles of Docker and Podman.

They come from the real engines of this machine: a runtime that copies config.json stands between
them and runc. One container without capabilities gives the base, one for each capability what it
adds and removes; conditions on architectures are those of the engine's source, since one machine
has only one. Run it as root: `python tools/default_profiles.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from seclatch.model.capability import ALL  # noqa: E402 (found by the line above)
from tests.engines.capture import Docker, Podman  # noqa: E402

FOLDER = ROOT / "src" / "seclatch" / "data" / "defaults"

# Moby's and containers-common's default_linux.go: the architectures of each rule.
ARCHES = {
    ("arch_prctl",): ["amd64", "x32"],
    ("modify_ldt",): ["amd64", "x32", "x86"],
    ("sync_file_range2", "swapcontext"): ["ppc64le"],
    (
        "arm_fadvise64_64",
        "arm_sync_file_range",
        "breakpoint",
        "cacheflush",
        "set_tls",
        "sync_file_range2",
    ): ["arm", "arm64"],
    ("s390_pci_mmio_read", "s390_pci_mmio_write", "s390_runtime_instr"): ["s390", "s390x"],
    ("riscv_flush_icache",): ["riscv64"],
}
MAP = [
    {"architecture": f"SCMP_ARCH_{name}", "subArchitectures": [f"SCMP_ARCH_{each}" for each in sub]}
    for name, sub in {
        "X86_64": ["X86", "X32"],
        "AARCH64": ["ARM"],
        "MIPS64": ["MIPS", "MIPS64N32"],
        "MIPS64N32": ["MIPS", "MIPS64"],
        "MIPSEL64": ["MIPSEL", "MIPSEL64N32"],
        "MIPSEL64N32": ["MIPSEL", "MIPSEL64"],
        "S390X": ["S390"],
        "RISCV64": [],
    }.items()
]

Row = tuple[str, str]
"""A call's name, and the rest of its rule as JSON."""


def rows(seccomp: dict[str, Any]) -> set[Row]:
    """Split rules into one call each."""
    found = set()
    for rule in seccomp["syscalls"]:
        rest = {key: rule[key] for key in ("action", "errnoRet", "args") if rule.get(key)}
        found |= {(name, json.dumps(rest, sort_keys=True)) for name in rule["names"]}
    return found


def ask(engine: Any) -> dict[str, Any]:
    """Return the profile with its conditions."""
    base = engine.seccomp("--cap-drop=ALL")
    plain = rows(base)
    includes: dict[Row, set[str]] = defaultdict(set)
    excludes: dict[Row, set[str]] = defaultdict(set)
    for name in sorted(ALL):
        short = name.removeprefix("CAP_")
        try:
            held = rows(engine.seccomp("--cap-drop=ALL", f"--cap-add={short}"))
        except (FileNotFoundError, AssertionError):  # a capability unknown to the engine
            print(f"not granted, and left out: {name}", file=sys.stderr)
            continue
        for row in held - plain:
            includes[row].add(name)
        for row in plain - held:
            excludes[row].add(name)
    return _document(base, plain, includes, excludes)


def _document(
    base: dict[str, Any],
    plain: set[Row],
    includes: dict[Row, set[str]],
    excludes: dict[Row, set[str]],
) -> dict[str, Any]:
    """Group the rows by action and condition."""
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in plain:
        _put(grouped, row, {}, {"caps": sorted(excludes[row])} if row in excludes else {})
    for row, caps in includes.items():
        for cap in sorted(caps):
            _put(grouped, row, {"caps": [cap]}, {})
    elsewhere = {name for names in ARCHES for name in names} - {name for name, _ in plain}
    for name in elsewhere:
        _put(grouped, (name, json.dumps({"action": "SCMP_ACT_ALLOW"})), {}, {})
    rules: list[dict[str, Any]] = [
        {"names": sorted(names), **json.loads(rest), **json.loads(conditions)}
        for (rest, conditions), names in sorted(grouped.items())
    ]
    kept: dict[str, Any] = {
        key: base[key] for key in ("defaultAction", "defaultErrnoRet") if key in base
    }
    return {**kept, "archMap": MAP, "syscalls": rules}


def _put(
    grouped: dict[tuple[str, str], list[str]],
    row: Row,
    included: dict[str, Any],
    excluded: dict[str, Any],
) -> None:
    name, rest = row
    arches = [where for names, where in ARCHES.items() if name in names]
    if arches:
        included = {**included, "arches": sorted({arch for where in arches for arch in where})}
    if name == "ptrace" and not included:
        included = {"minKernel": "4.8"}
    both = {"includes": included, "excludes": excluded}
    conditions = json.dumps({key: value for key, value in both.items() if value}, sort_keys=True)
    grouped[rest, conditions].append(name)


def version(*words: str) -> str:
    """Return the version that a program prints."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def write(name: str, engine: Any, source: str) -> None:
    """Write one engine's profile."""
    document = {"version": source, "engine": name, "profile": ask(engine)}
    text = json.dumps(document, indent=1)
    (FOLDER / f"{name}-default.json").write_text(text + "\n")


def main() -> None:
    """Run both engines."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        docker = Docker(Path(folder))
        try:
            docker.start()
            write("docker", docker, version("dockerd", "--version"))
        finally:
            docker.stop()
    with tempfile.TemporaryDirectory() as folder:
        write("podman", Podman(Path(folder)), version("podman", "--version"))


if __name__ == "__main__":
    main()
