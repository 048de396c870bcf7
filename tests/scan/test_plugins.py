"""Libraries that a program loads by its configuration: only for those that ask for them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seclatch.model.scan import Program
from seclatch.scan.cache import Cache
from seclatch.scan.program import Target, scan
from seclatch.scan.rootfs import Rootfs

BODIES = {
    "pam_start": ("int pam_start(); void *h; pam_start(v[0], v[0], &h, &h);", True),
    "pam_start_confdir": ("int pam_start_confdir(); pam_start_confdir(v[0], 0, 0, 0, 0);", True),
    "other": ("const char *pam_strerror(); return pam_strerror(0, n) == 0;", False),
}


def scanned(body: str, cache: Cache, directory: Path) -> Program:
    (directory / "p.c").write_text(f"int main(int n, char **v) {{ {body} return 0; }}\n")
    words = ["gcc", "-w", "-o", directory / "p", directory / "p.c", "-l:libpam.so.0"]
    subprocess.run(words, check=True, timeout=60)
    rootfs = Rootfs(Path("/"))
    try:
        return scan(rootfs, cache, Target(str(directory / "p"), "built here"))
    finally:
        rootfs.close()


@pytest.mark.parametrize("case", BODIES)
def test_pam_s_modules_come_with_a_transaction(case: str, cache: Cache, tmp_path: Path) -> None:
    body, begins = BODIES[case]
    program = scanned(body, cache, tmp_path)
    assert any(each.endswith("/pam_unix.so") for each in program.plugins) == begins
    assert ("execve" in {each.name for each in program.calls}) == begins  # unix_chkpwd(8)
    assert bool(program.notes) == begins
