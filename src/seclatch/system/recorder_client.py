"""Ask the node's recorder of annotated containers, over its Unix socket.

One request is one message (SOCK_SEQPACKET): a verb, a NUL, an argument. The answer is one JSON
document, except for the latch's own request (native/record.c).
"""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any

from seclatch.errors import SeclatchError

DEFAULT_SOCKET = "/run/seclatch/recorder.sock"
MAX_MESSAGE = 4096
MAX_ANSWER = 1 << 17

_CREDENTIALS = struct.Struct("=iII")


def read_peer(connection: socket.socket) -> tuple[int, int]:
    """Return the pid and uid of a connection's other end (unix(7), SO_PEERCRED)."""
    content = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(content)
    return pid, uid


def ask_recorder(path: str, verb: str, argument: str = "", seconds: float = 5.0) -> Any:
    """Send one request and return the answer. Raises SeclatchError."""
    what = f"asking the recorder at {path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(path)
            if read_peer(connection)[1] != os.geteuid():
                raise SeclatchError(f"{what}: it runs as another user")
            connection.send(f"{verb}\0{argument}".encode("utf-8", "surrogateescape"))
            answer = connection.recv(MAX_ANSWER)
        except FileNotFoundError as error:
            raise SeclatchError(f"{what}: there is no such socket", remedy=_REMEDY) from error
        except ConnectionRefusedError as error:
            raise SeclatchError(f"{what}: no recorder listens", remedy=_REMEDY) from error
        except TimeoutError as error:
            raise SeclatchError(
                f"{what}: no answer within {seconds:.0f} seconds", remedy=_REMEDY
            ) from error
        except OSError as error:
            raise SeclatchError(f"{what}: {error.strerror}", remedy=_REMEDY) from error
    if not answer:
        raise SeclatchError(f"{what}: it ended without an answer", remedy=_REMEDY)
    return json.loads(answer)


_REMEDY = (
    "systemctl restart seclatch-recorder, or start /usr/local/lib/seclatch/recorder/recorder by "
    "this host's service manager"
)
