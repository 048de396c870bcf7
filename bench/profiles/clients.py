"""Clients of the servers under test, on the loopback device."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from bench.profiles.container import PATIENCE, Container


def connect(port: int) -> socket.socket:
    """Connect to a port of the loopback device."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def trusting() -> ssl.SSLContext:
    """Make a TLS context that accepts any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def request(  # noqa: PLR0913
    port: int,
    path: str = "/",
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    tls: bool = False,
) -> tuple[int, bytes]:
    """Make one HTTP request and return status and body."""
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=trusting())
        if tls
        else http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    )
    with closing(connection):
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read()


def expect(port: int, path: str, status: int = 200, **options: object) -> bytes:
    """Make a request whose status must be this; return the body."""
    found, body = request(port, path, **options)
    assert found == status, f"{path}: {found}"
    return body


def keep_alive(port: int, path: str, count: int) -> None:
    """Make several requests on one connection."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        for _ in range(count):
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status


def pipelined(port: int, path: str, count: int) -> None:
    """Send several requests at once and read all answers."""
    one = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
    text = f"{one}\r\n" * (count - 1) + f"{one}Connection: close\r\n\r\n"
    assert exchange(port, text.encode()).count(b"HTTP/1.1 200") == count


def exchange(port: int, data: bytes, *, finish: bool = False) -> bytes:
    """Send bytes and read until the server closes; `finish`: shut down the sending side first."""
    with connect(port) as client:
        client.sendall(data)
        if finish:
            client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def abort(port: int, data: bytes) -> None:
    """Send bytes and reset the connection."""
    with connect(port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(data)


def certificate(box: Container) -> None:
    """Write key.pem and cert.pem, and both in one file, into the container's folder."""
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            box.folder / "key.pem",
            "-out",
            box.folder / "cert.pem",
        ],
        check=True,
        capture_output=True,
    )
    both = (box.folder / "cert.pem").read_text() + (box.folder / "key.pem").read_text()
    (box.folder / "both.pem").write_text(both)


def site(folder: Path) -> None:
    """Write a web site: a page, a large file, a folder to list."""
    (folder / "www/list").mkdir(parents=True)
    (folder / "www/index.html").write_text("<p>hello</p>" * 1000)
    (folder / "www/large.bin").write_bytes(bytes(range(256)) * 16384)
    (folder / "www/list/a.txt").write_text("a")
    (folder / "www/list/b.txt").write_text("b")
