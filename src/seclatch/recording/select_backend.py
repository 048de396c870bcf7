"""Select the back end: eBPF, or ptrace where eBPF is not available."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seclatch.errors import SeclatchError
from seclatch.recording.backends.bpf.bpf_backend import Ebpf

if TYPE_CHECKING:
    from seclatch.recording.backends.backend import RecordingBackend
    from seclatch.recording.backends.bpf.detail_events import Sights

_DAEMON_CLIENTS = ("docker", "ctr")


def select_backend(
    name: str, command: tuple[str, ...], sights: Sights | None = None
) -> RecordingBackend:
    """Open the back end of this name. Raises SeclatchError: what is missing, and what to do.

    Detail events (`sights`) take eBPF. With `auto`, a command whose container is made by a daemon
    is not recorded by ptrace, which would see the client only.
    """
    if name == "ptrace":
        return _open_ptrace()
    try:
        return Ebpf(sights)
    except SeclatchError as error:
        from seclatch.recording.attribution.image_lookup import find_client

        client = find_client(command)
        if name == "ebpf" or sights is not None or (client and client.kind in _DAEMON_CLIENTS):
            raise
        return _open_ptrace(str(error).removeprefix("recording with eBPF: "))


def _open_ptrace(reason: str = "") -> RecordingBackend:
    from seclatch.recording.backends.ptrace.ptrace_backend import PtraceBackend

    return PtraceBackend(reason)
