"""Find the directories in which annotated containers are recorded."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from seclatch.errors import SeclatchError

if TYPE_CHECKING:
    from seclatch.recording.annotated.spool import RecordingSpool


def find_spools(directory: PurePosixPath | None) -> list[RecordingSpool]:
    """Return the spool of a directory, or those of all engines. Raises SeclatchError."""
    from seclatch.engines.annotation_recorder import read_all_limits
    from seclatch.engines.host_root import HostRoot
    from seclatch.model.recorder_limits import RecorderLimits
    from seclatch.recording.annotated.spool import RecordingSpool

    if os.geteuid() != 0:
        raise SeclatchError(
            "asking a recorder for its recording: only root may do that", remedy="use sudo"
        )
    limits = (
        [RecorderLimits(directory=str(directory))] if directory else read_all_limits(HostRoot())
    )
    found = {each.directory: RecordingSpool(each) for each in limits}
    if not found:
        raise SeclatchError(
            "looking for recorders: no engine records annotated containers on this host",
            remedy="seclatch install ENGINE --record-annotations",
        )
    return list(found.values())
