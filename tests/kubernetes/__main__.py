"""`make test-kubernetes`: seclatch on a node of a real cluster.

python -m tests.kubernetes [TEST…] builds Kubernetes' programs, once, and runs the tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.kubernetes.binaries import make_binaries

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seclatch/kubernetes"


def main() -> int:
    """Build the programs, run the tests."""
    if os.geteuid():
        raise SystemExit("kubernetes: a node's containers need root")
    programs = make_binaries(CACHE)
    words = sys.argv[1:] or ["tests/kubernetes"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    environment = {**os.environ, "SECLATCH_KUBERNETES": str(programs)}
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
