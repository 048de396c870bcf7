"""Libraries that configuration makes a program load: only for programs that use the feature."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seclatch.model.scan import ScannedProgram
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache

START = "int pam_start(); void *h; pam_start(v[0], v[0], &h, &h);"
BODIES = {
    "pam_start": (START + "int pam_authenticate(); pam_authenticate(h, 0);", True, True),
    "pam_start_confdir": (
        "int pam_start_confdir(), pam_acct_mgmt(); pam_start_confdir(v[0], 0, 0, 0, 0);"
        "pam_acct_mgmt(0, 0);",
        True,
        True,
    ),
    "nothing more": (START, True, False),
    "other": ("const char *pam_strerror(); return pam_strerror(0, n) == 0;", False, False),
}
"""Programs, whether they load modules, and whether these execute unix_chkpwd(8)."""


def scanned(body: str, cache: SummaryCache, directory: Path) -> ScannedProgram:
    (directory / "p.c").write_text(f"int main(int n, char **v) {{ {body} return 0; }}\n")
    words = ["gcc", "-w", "-o", directory / "p", directory / "p.c", "-l:libpam.so.0"]
    subprocess.run(words, check=True, timeout=60)
    rootfs = Rootfs(Path("/"))
    try:
        return scan_program(rootfs, cache, ScanTarget(str(directory / "p"), "built here"))
    finally:
        rootfs.close()


@pytest.mark.parametrize("case", BODIES)
def test_pam_s_modules_come_with_a_transaction(
    case: str, cache: SummaryCache, tmp_path: Path
) -> None:
    body, begins, executes = BODIES[case]
    program = scanned(body, cache, tmp_path)
    assert any(each.endswith("/pam_unix.so") for each in program.plugins) == begins
    assert ("execve" in {each.name for each in program.calls}) == executes
    assert bool(program.notes) == begins


SERVICE = """
#include <unistd.h>
int _nss_own_getpwnam_r(void) { return syscall(123) < 0 ? -1 : 0; }
"""


@pytest.mark.parametrize("flags", [[], ["-static"], ["-static", "-s"]], ids=" ".join)
def test_a_name_service(flags: list[str], cache: SummaryCache, tmp_path: Path) -> None:
    """Static programs load them as others do, and the C library that they need."""
    places = [tmp_path / each for each in ("bin", "etc", "usr/lib/x86_64-linux-gnu", "lib64")]
    for each in places:
        each.mkdir(parents=True)
    (tmp_path / "etc/nsswitch.conf").write_text("passwd: files own\n")
    for name in ("/usr/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"):
        (tmp_path / name[1:]).write_bytes(Path(name).read_bytes())
    for text, program, more in (
        (SERVICE, places[2] / "libnss_own.so.2", ["-shared", "-fPIC"]),
        ('#include <pwd.h>\nint main() { return !getpwnam("x"); }', "asks", flags),
        ("int main() { return 0; }", "asks-not", flags),
    ):
        (tmp_path / "p.c").write_text(text)
        words = ["gcc", "-w", "-o", places[0] / program, tmp_path / "p.c", *more]
        subprocess.run(words, check=True, timeout=60, stderr=subprocess.DEVNULL)
    rootfs = Rootfs(tmp_path)
    try:
        asks = scan_program(rootfs, cache, ScanTarget("/bin/asks", ""))
        asks_not = scan_program(rootfs, cache, ScanTarget("/bin/asks-not", ""))
    finally:
        rootfs.close()
    assert "setfsgid" in {each.name for each in asks.calls}
    assert "setfsgid" not in {each.name for each in asks_not.calls}
    assert asks.whole
