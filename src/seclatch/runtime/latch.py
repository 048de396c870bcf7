"""Where the latch, the front of an OCI runtime, is installed."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

from seclatch.errors import SeclatchError


def find_latch(runtime: str) -> Path:
    """Find `seclatch-<runtime>`: beside this interpreter's scripts, then on PATH.

    Raises SeclatchError when it is in neither place.
    """
    name = f"seclatch-{runtime}"
    scripts = sysconfig.get_path("scripts")
    found = shutil.which(name, path=scripts) or shutil.which(name)
    if found is None:
        raise SeclatchError(
            f"cannot find the latch {name} in {scripts} nor on PATH",
            remedy="install seclatch again (pip install seclatch), or see what the runtime "
            "does without the latch with --plain",
        )
    return Path(os.path.abspath(found))  # noqa: PTH100 (resolve() would follow a link to it)
