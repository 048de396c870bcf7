"""Records of `seclatch tighten`: which filter it put on which processes, and when.

They are below /run, so they end with the boot; each run writes a file of its own, and removes those
whose processes have all ended.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from seclatch.output.result_file import replace_file
from seclatch.system.procfs import read_file, read_start

FOLDER = Path("/run/seclatch/tightened")

_SCHEMA = 1
_SIZE = 1 << 22
_MOST = 4096
_WRITABLE_BY_OTHERS = 0o022


@dataclass(frozen=True, slots=True)
class TightenedFilter:
    """A filter that was put on a running process. `when`: UTC, as in ISO 8601.

    `loaded`: clock ticks since boot; processes created after that have inherited it. `code` is kept
    where the kernel does not show filters.
    """

    pid: int
    start: int
    digest: str
    when: str
    loaded: int = 0
    code: bytes = b""


def digest_program(code: bytes) -> str:
    """Return the SHA-256 of a program, by which records name it."""
    return hashlib.sha256(code).hexdigest()


def find_own_folder() -> Path:
    """Return where the records of this user are: below the user's runtime directory."""
    base = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return Path(base, "seclatch/tightened")


def write_tightened(
    processes: Iterable[tuple[int, int]],
    code: bytes,
    folder: Path = FOLDER,
    *,
    loaded: int = 0,
) -> None:
    """Record processes (id, start time) that were bound now. Raises OSError.

    With `loaded`, the time of the last load, the program itself is kept, too.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not _is_ours(folder):
        raise PermissionError(1, "others may write to it", str(folder))
    _remove_ended(folder)
    document = {
        "schema": _SCHEMA,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "filter": digest_program(code),
        "processes": [list(each) for each in processes],
    }
    if loaded:
        document |= {"loaded": loaded, "code": base64.b64encode(code).decode()}
    replace_file(folder / f"{time.time_ns()}.json", json.dumps(document).encode())


def read_tightened(
    folder: Path = FOLDER, *, ended: bool = False
) -> Mapping[tuple[int, str], TightenedFilter]:
    """Return what is recorded of living processes, by process and program; or also of `ended`."""
    found = {}
    for path in _list_records(folder) if _is_ours(folder) else ():
        for each in _read_record(path):
            if ended or read_start(each.pid) == each.start:
                found[each.pid, each.digest] = each
    return found


def _is_ours(folder: Path) -> bool:
    """Return whether only root may write there, or this user into the user's own."""
    owner = 0 if folder == FOLDER else os.geteuid()
    with contextlib.suppress(OSError):
        status = folder.lstat()
        return status.st_uid == owner and not status.st_mode & _WRITABLE_BY_OTHERS
    return False


def _list_records(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(folder.glob("*.json"))[-_MOST:]
    return []


def _read_record(path: Path) -> Iterator[TightenedFilter]:
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        document = json.loads(read_file(str(path), _SIZE))
        for pid, start in document["processes"]:
            yield TightenedFilter(
                int(pid),
                int(start),
                str(document["filter"]),
                str(document["when"])[:40],
                int(document.get("loaded", 0)),
                base64.b64decode(document.get("code", "")),
            )


def _remove_ended(folder: Path) -> None:
    for path in _list_records(folder):
        if not any(read_start(each.pid) == each.start for each in _read_record(path)):
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108
