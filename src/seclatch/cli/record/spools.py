"""Find the recorder of annotated containers, and ask it."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from seclatch.errors import SeclatchError
from seclatch.model.recorder_limits import RecorderLimits

PATIENCE = 60.0


def ask(verb: str, name: str, directory: PurePosixPath | None) -> list[str]:
    """Send a request about annotated containers to the recorder; return the files that it names.

    `directory`: where its recordings go; None: as installed. Raises SeclatchError.
    """
    from seclatch.system.recorder_client import ask_recorder

    answer = ask_recorder(_find_socket(directory), verb, name, PATIENCE)
    return list(answer.get("files", ()))


def _find_socket(directory: PurePosixPath | None) -> str:
    from seclatch.engines.installation.host_root import HostRoot
    from seclatch.engines.services.annotation_recorder import read_limits
    from seclatch.recording.annotated.spool import RecordingSpool

    if os.geteuid() != 0:
        raise SeclatchError(
            "asking the recorder for a recording: only root may do that", remedy="use sudo"
        )
    limits = RecorderLimits(directory=str(directory)) if directory else read_limits(HostRoot())
    if limits is None:
        raise SeclatchError(
            "looking for the recorder: no engine records annotated containers on this host",
            remedy="seclatch install ENGINE --record-annotations",
        )
    spool = RecordingSpool(limits)
    spool.require_private()
    owner = spool.find_owner()
    if owner is None:
        raise SeclatchError(
            f"looking for the recorder: none writes to {spool.path}",
            remedy="systemctl restart seclatch-recorder; `seclatch doctor` tries it",
        )
    return owner.socket
