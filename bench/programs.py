"""Count the calls that generated profiles allow for real servers, beside other methods' counts.

Each program is recorded three times (start, requests, reload, requests, stop), the profile is made
of that, and the work is done once more under it, without a denied call that it needs. "Docker" is
its default profile, as dockerd writes it for a container without added capabilities. The published
figures are of static analysis, which finds all that a program could do, of other builds of the same
programs: "Confine 2023" of its authors' application-specific profiles; sysfilter's and SysPart's of
the binaries in the artifact of "temporal specialization", SysPart's after initialisation.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.debian.programs import NAMES, programs
from tests.debian.server import ANY, Server, debian_root, generate
from tests.latch.oci import Runtime

PUBLISHED = {
    "nginx": {"Confine 2023": 131, "sysfilter": 115, "SysPart": 108},
    "redis": {"Confine 2023": 116},
    "postgres": {"Confine 2023": 149},
}
COLUMNS = ("latch", "+args", "plain runc", "Docker", "Confine 2023", "sysfilter", "SysPart")
RECORDINGS = 3
VARIANTS = {"latch": (), "+args": ("--args",), "plain runc": ("--plain", "runc")}


def report(_: int) -> None:
    """Print the table; the number of runs is ignored."""
    print(f"{'calls allowed':<14}" + "".join(f"{name:>14}" for name in COLUMNS))
    default = docker_default()
    with debian_root() as root:
        for name in NAMES:
            row = {"Docker": default, **PUBLISHED.get(name, {}), **measure(name, root)}
            print(f"{name:<14}" + "".join(f"{row.get(each, '-'):>14}" for each in COLUMNS))
    print("+args: as many names, but some for the recorded arguments alone")


def measure(name: str, root: Path) -> dict[str, int | str]:
    """Record, generate, and check that the profile is sufficient."""
    plain, latched = Runtime("runc", latched=False), Runtime("runc")
    counts: dict[str, int | str] = {}
    with Server(programs()[name], root) as server, tempfile.TemporaryDirectory() as folder:
        recordings = [Path(folder) / f"{n}.json.gz" for n in range(RECORDINGS)]
        for each in recordings:
            server.run(plain, ANY, each)
        for column, options in VARIANTS.items():
            file = Path(folder) / "profile.json"
            generate(recordings, file, *options)
            profile = json.loads(file.read_text())
            server.run(plain if "--plain" in options else latched, profile)
            whole, partly = allowed(profile)
            counts[column] = f"{len(whole)}+{len(partly)}" if partly else len(whole)
    return counts


def allowed(profile: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Return calls allowed whatever the arguments, and those allowed for some."""
    rules = [rule for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW"]
    whole = {name for rule in rules if not rule.get("args") for name in rule["names"]}
    return whole, {name for rule in rules for name in rule["names"]} - whole


def docker_default() -> int:
    """Count dockerd's own filter; a call allowed for some arguments counts."""
    sys.path.append(str(Path(__file__).parents[1] / "tests/engines"))
    from tests.engines.capture import Docker

    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        docker = Docker(Path(folder))
        try:
            docker.start()
            whole, partly = allowed(docker.seccomp())
        finally:
            docker.stop()
    return len(whole | partly)
