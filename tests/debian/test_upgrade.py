"""The upgrade gate on a package that was upgraded: memcached of Debian 12 and 13."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.latch.oci import SCRIPTS

SUITES = {"old": "bookworm", "new": "trixie"}
PROGRAM = "/usr/bin/memcached"


def run(folder: Path, *words: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=folder, timeout=300
    )
    said = f"{words}: {done.returncode}: {done.stdout[-500:]}{done.stderr[-1500:]}"
    assert status is None or done.returncode == status, said
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack both releases; nothing of them is installed or run."""
    place = tmp_path_factory.mktemp("upgrade")
    for name, suite in SUITES.items():
        include = "--include=memcached,busybox-static"
        mirror = "http://deb.debian.org/debian"
        run(place, "mmdebstrap", "--variant=extract", include, suite, name, mirror)
        root = place / name
        for link in ("bin", "sbin", "lib", "lib64"):
            if not (root / link).exists() and (root / "usr" / link).exists():
                (root / link).symlink_to(f"usr/{link}")
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc/passwd").write_text("nobody:x:65534:65534::/:/bin/sh\n")
    place.chmod(0o755)
    return place


@pytest.mark.root
def test_the_gate_says_what_the_new_release_lacks_and_is_right(folder: Path) -> None:
    seclatch = str(SCRIPTS / "seclatch")
    trained = ["/bin/busybox", "timeout", "2", PROGRAM, "-u", "nobody"]
    record = [seclatch, "record", "-o", "app.json.gz", "--", seclatch, "run", "--rootfs", "old"]
    run(folder, *record, "--", *trained, status=None)  # as memcached ends on SIGTERM
    run(folder, seclatch, "scan", "--recording", "app.json.gz", "-o", "old.scan", "old")
    run(folder, seclatch, "generate", "--scan", "old.scan", "app.json.gz", "-o", "app.json")
    run(folder, seclatch, "scan", "--entrypoint", PROGRAM, "-o", "new.scan", "new")
    fit = [seclatch, "profile", "fit", "app.json", "--before", "old.scan", "--scan"]
    run(folder, *fit, "old.scan")
    gaps = run(folder, *fit, "new.scan", status=1).stdout.splitlines()
    needed = [line.split(":")[0].removeprefix("- ") for line in gaps if line.startswith("- ")]
    assert "fstat" in needed

    start = [seclatch, "run", "--rootfs", "new", "--profile"]
    version = ["--", PROGRAM, "--version"]
    assert "Operation not permitted" in run(folder, *start, "app.json", *version, status=127).stderr
    allow = [word for name in needed for word in ("--allow", name)]
    run(folder, seclatch, "profile", "derive", "app.json", *allow, "-o", "more.json")
    assert "memcached 1" in run(folder, *start, "more.json", *version).stdout
