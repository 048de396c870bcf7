"""A registry that is the attacker: it serves what a test puts there, and notes what it was sent."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from seclatch.registry.artifact_manifest import digest_of

Handler = http.server.BaseHTTPRequestHandler
Behaviour = Callable[[Handler], None]

# `shutdown` waits for the next look at whether to end: half a second by default, in each test.
POLL_SECONDS = 0.01


@dataclass
class HostileRegistry:
    """`content` by path below /v2/evil/web/; `behaviours` by a part of the path take precedence."""

    host: str = ""
    content: dict[str, bytes] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    sent: int = 0
    drip: threading.Event = field(default_factory=threading.Event)

    def add_manifest(self, data: bytes) -> str:
        digest = digest_of(data)
        self.content[f"manifests/{digest}"] = data
        return f"{self.host}/evil/web@{digest}"

    def add_blob(self, data: bytes) -> str:
        digest = digest_of(data)
        self.content[f"blobs/{digest}"] = data
        return digest

    def answer(self, handler: Handler) -> None:
        authorization = handler.headers.get("Authorization", "")
        self.requests.append((handler.command, handler.path, authorization))
        for part, behaviour in self.behaviours.items():
            if part in handler.path:
                behaviour(handler)
                return
        body = self.content.get(handler.path.removeprefix("/v2/evil/web/"))
        reply(handler, 404 if body is None else 200, body or b"{}")


def reply(handler: Handler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


@contextmanager
def serve_hostile() -> Iterator[HostileRegistry]:
    found = HostileRegistry()

    class Serve(Handler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802 - the library's name
            found.answer(self)

        do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Serve)
    server.daemon_threads = True
    found.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    yield found
    found.drip.set()
    server.shutdown()
    server.server_close()
    thread.join()
