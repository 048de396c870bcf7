"""Leave the running filter of a container where the latch finds it for exec sessions.

See native/session.c, which reads these files at a session's exec stop.
"""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

from seclatch.output.result_file import replace_file
from seclatch.system.procfs import read_start

FOLDER = Path("/run/seclatch/sessions")
_HEADER = struct.Struct("=8sQQQ")
_MAGIC = b"SESSION1"
_ENDED = 1 << 63  # read_start of a process that has ended


def write_session_filter(
    identifier: str, pid: int, code: bytes, flags: int, folder: Path = FOLDER
) -> None:
    """Write the filter for sessions of a container; `pid`: its first process. Raises OSError."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    header = _HEADER.pack(_MAGIC, flags, pid, read_start(pid))
    replace_file(folder / identifier, header + code)


def remove_session_filter(identifier: str, folder: Path = FOLDER) -> None:
    """Remove the file, if there is one."""
    with contextlib.suppress(OSError):
        (folder / identifier).unlink()


def remove_stale_filters(folder: Path = FOLDER) -> None:
    """Remove the files of containers that have ended."""
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            # Another supervisor's, half written, begins with a dot (replace_file).
            if not path.name.startswith(".") and not _is_current(path):
                with contextlib.suppress(OSError):
                    path.unlink()


def _is_current(path: Path) -> bool:
    with contextlib.suppress(OSError, struct.error), path.open("rb") as file:
        magic, _, pid, start = _HEADER.unpack(file.read(_HEADER.size))
        return bool(magic == _MAGIC and start < _ENDED and read_start(pid) == start)
    return False
