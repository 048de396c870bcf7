"""The root directory of all servers, made of Debian's packages."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.debian.packages import MERGED, closure, download, name_versions, run
from tests.scan.servers import enable_modules

TOOLS = ("dash", "coreutils", "curl", "grep", "util-linux", "openssl")
"""What an image of Debian has anyway, for entry scripts and health checks."""

PASSWD = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\napp:x:1000:1000::/run:/bin/sh\n"
GROUP = "root:x:0:\nnogroup:x:65534:\napp:x:1000:\n"


@contextmanager
def server_root(packages: Iterable[str]) -> Iterator[Path]:
    """Unpack packages with their libraries; SECLATCH_SERVER_ROOT names a place to keep them."""
    kept = os.environ.get("SECLATCH_SERVER_ROOT")
    if kept and (Path(kept) / "complete").exists():
        yield Path(kept) / "root"
        return
    with tempfile.TemporaryDirectory(prefix="sl-", dir="/tmp") as folder:
        place = Path(kept) if kept else Path(folder)
        shutil.rmtree(place / "root", ignore_errors=True)
        (place / "root").mkdir(parents=True)
        place.chmod(0o755)
        _fill(place / "root", packages, Path(folder))
        (place / "complete").touch()
        yield place / "root"


def _fill(root: Path, packages: Iterable[str], folder: Path) -> None:
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in ("proc", "dev", "sys", "tmp", "run", "etc", "var"):
        (root / name).mkdir(exist_ok=True)
    (folder / "files").mkdir()
    names = closure(dict.fromkeys([*TOOLS, *packages]))
    for package in download(name_versions(names), folder / "files"):
        run("dpkg-deb", "--extract", str(package), str(root))
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    if not (root / "usr/bin/sh").exists():
        (root / "usr/bin/sh").symlink_to("dash")
    if (root / "etc/apache2").exists():
        enable_modules(root)
    if (root / "usr/lib/postgresql").exists():
        # pg_wrapper is Perl and reads a cluster's settings; the programs themselves do not
        for each in next((root / "usr/lib/postgresql").iterdir()).glob("bin/*"):
            link = root / "usr/local/bin" / each.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("/" + str(each.relative_to(root)))
