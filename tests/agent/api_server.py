"""A stand-in for a Kubernetes API server: it answers the one request of a node's agent.

A mock: Debian has no kube-apiserver. What it answers is what a real one does to a merge patch of
labels (the node with its labels after the patch), and its errors have the form of kind Status.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "eyJhbGciOi.recorded.token"
POLL_SECONDS = 0.01  # until `shutdown` is seen; half a second by default


@dataclass
class ApiServer:
    """Nodes' labels, the requests so far, and the status that the next ones get."""

    labels: dict[str, str] = field(default_factory=lambda: {"kubernetes.io/os": "linux"})
    requests: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    broken: bool = False
    server: ThreadingHTTPServer | None = None
    certificate: str = ""

    @property
    def port(self) -> int:
        assert self.server
        return self.server.server_port

    def patches(self) -> list[str | None]:
        """Return the values of the label in the patches so far."""
        return [one["body"]["metadata"]["labels"]["seclatch.io/latch"] for one in self.requests]

    def start(self, account: Path) -> ApiServer:
        """Serve on loopback; write what kubelet mounts of a service account."""
        account.mkdir(parents=True, exist_ok=True)
        key, certificate = account.parent / "api.key", account / "ca.crt"
        request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
        words = ["ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=kube-apiserver"]
        names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
        subprocess.run([*request, *words, *names], check=True, capture_output=True)
        self.certificate = certificate.read_text()
        self.write_account(account)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(
            target=self.server.serve_forever, args=(POLL_SECONDS,), daemon=True
        ).start()
        return self

    def write_account(self, account: Path) -> None:
        """Write it in another place."""
        account.mkdir(parents=True, exist_ok=True)
        (account / "ca.crt").write_text(self.certificate)
        (account / "token").write_text(TOKEN)

    def stop(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Apply a merge patch of labels (RFC 7386) and return the node."""
        self.requests.append(request)
        if self.status != 200:
            message = 'nodes "n1" is forbidden: ValidatingAdmissionPolicy denied the request'
            return {"kind": "Status", "status": "Failure", "message": message}
        for name, value in request["body"]["metadata"]["labels"].items():
            if value is None:
                self.labels.pop(name, None)
            else:
                self.labels[name] = value
        if self.broken:
            return {"kind": "Node", "metadata": []}
        return {"kind": "Node", "metadata": {"name": "n1", "labels": self.labels}}


def _handler(api: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = {"path": self.path, "headers": dict(self.headers), "body": body}
            content = json.dumps(api.answer(request)).encode()
            self.send_response(api.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
