"""The calls that are found in a small program, built here."""

from __future__ import annotations

import subprocess
from pathlib import Path

from seclatch.scan.cache import Cache
from seclatch.scan.program import scan
from seclatch.scan.rootfs import Rootfs
from seclatch.scan.target import Target


def calls(source: str, flags: list[str | Path], cache: Cache, directory: Path) -> set[str]:
    """Compile the C source with these flags, and scan what comes of it."""
    program = directory / "p"
    program.with_suffix(".c").write_text(source)
    words = ["gcc", "-w", "-O1", "-o", program, program.with_suffix(".c"), *flags]
    subprocess.run(words, check=True, timeout=60)
    rootfs = Rootfs(Path("/"))
    try:
        return {each.name for each in scan(rootfs, cache, Target(str(program), "built here")).calls}
    finally:
        rootfs.close()
