"""Run a command in the root directory of a newer suite.

With this host's kernel, Python and project, and no other program or library of this host.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]

# pivot_root(2) and not chroot(2): the kernel makes no user namespace for a process that was
# chrooted (create_user_ns, kernel/user_namespace.c), and runtimes pivot away from a root that is a
# mount point.
ENTER = """\
set -eu
root=$1 project=$2 lines=$3; shift 3
mount --bind "$root" "$root"
cd "$root"
for dir in proc sys dev; do mount --rbind /$dir $dir; done
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=700 tmpfs root
echo "$lines" | while read -r from to; do
  if [ -d "$from" ]; then mkdir -p ".$to"; fi
  mount --bind "$from" ".$to"
done
mkdir -p mnt/old
pivot_root . mnt/old
cd /
umount -l /mnt/old
cd "$project"
exec "$@"
"""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run_in_root(root: Path, programs: Path, words: list[str]) -> int:
    """Run the command with inherited output; return the exit status."""
    pairs = [*list_python(), (PROJECT, PROJECT), (programs, programs)]
    shown = "\n".join(f"{source} {target}" for source, target in pairs)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"]
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{PATH}",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "SECLATCH_NEWER": "1",
        "SECLATCH_PROGRAMS": str(programs),
        **{name: os.environ[name] for name in ("CI",) if name in os.environ},
    }
    done = subprocess.run(
        [*command, str(root), str(PROJECT), shown, *words],
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=PROJECT,
    )
    return done.returncode


def list_python() -> Iterator[tuple[Path, Path]]:
    """List this Python's own files and their destinations.

    Debian's are among the system's, and its venvs link to /usr/bin/python3, which is a link to the
    newer one in the root.
    """
    base = Path(sys.base_prefix)
    if base == Path("/usr"):
        stdlib = Path(sysconfig.get_path("stdlib"))
        yield stdlib, stdlib
        yield Path(sys.executable).resolve(), Path("/usr/bin/python3")
    else:
        yield base, base
    if not Path(sys.prefix).is_relative_to(PROJECT):
        yield Path(sys.prefix), Path(sys.prefix)
