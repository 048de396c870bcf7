"""Scan a small program that is built here."""

from __future__ import annotations

import subprocess
from pathlib import Path

from seclatch.model.scan import ScannedProgram
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache


def calls(source: str, flags: list[str | Path], cache: SummaryCache, directory: Path) -> set[str]:
    """Compile the C source with these flags, and return the calls that a scan of it finds."""
    return {each.name for each in scan_built(source, flags, cache, directory).calls}


def scan_built(
    source: str,
    flags: list[str | Path],
    cache: SummaryCache,
    directory: Path,
    *,
    main_loop: str = "",
) -> ScannedProgram:
    """Compile the C source with these flags, and scan it."""
    program = directory / "p"
    program.with_suffix(".c").write_text(source)
    words = ["gcc", "-w", "-O1", "-o", program, program.with_suffix(".c"), *flags]
    subprocess.run(words, check=True, timeout=60)
    rootfs = Rootfs(Path("/"))
    try:
        target = ScanTarget(str(program), "built here")
        return scan_program(rootfs, cache, target, main_loop=main_loop)
    finally:
        rootfs.close()
