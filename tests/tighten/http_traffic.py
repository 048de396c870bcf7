"""Requests to web servers on /run/web.sock, other than those of their training."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.debian import clients, programs
from tests.debian.programs import Step

SERVED = Path(__file__).parent / "served"
LARGE = bytes(range(256)) * 8192


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = clients.connect(self._path)
        self.sock.settimeout(60)


def ask(
    folder: Path,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    status: int = 200,
    wanted: bytes | None = None,
    **headers: str,
) -> bytes:
    """Make one request on a connection of its own."""
    with closing(UnixConnection(folder / "web.sock")) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body or None, {"Connection": "close", **named})
        response = connection.getresponse()
        found = response.read()
        assert response.status == status, (method, path, response.status, found[:200])
        assert wanted is None or found == wanted, (method, path, len(found))
        return found


def ask_slowly(folder: Path, path: str) -> None:
    """Send a request in three pieces."""
    with closing(clients.connect(folder / "web.sock")) as client:
        for part in (
            f"GET {path} HT",
            "TP/1.1\r\nHost: localhost\r\n",
            "Connection: close\r\n\r\n",
        ):
            client.sendall(part.encode())
            time.sleep(0.02)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")), answer[:100]


def leave_early(folder: Path, path: str) -> None:
    """Close the connection when the answer has begun."""
    with closing(clients.connect(folder / "web.sock")) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert client.recv(100)


@contextmanager
def keep_asking(folder: Path, path: str) -> Iterator[Callable[[], None]]:
    """Make requests on one connection, which nginx ends after a thousand, and says so."""
    with closing(UnixConnection(folder / "web.sock")) as connection:

        def ask_again() -> None:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
            time.sleep(0.01)

        yield ask_again


@contextmanager
def ask_by_and_by(folder: Path, path: str) -> Iterator[Callable[[], None]]:
    """Make the requests of a server that closes each connection: connected now, sent later."""
    waiting = [clients.connect(folder / "web.sock")]

    def ask_again() -> None:
        waiting.append(clients.connect(folder / "web.sock"))
        with closing(waiting.pop(0)) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))
            assert b" 200 " in answer[:20], answer[:100]

    try:
        yield ask_again
    finally:
        for each in waiting:
            each.close()


def prepare_with(prepare: Step, folder: Path) -> None:
    """Add a large file and a folder to the web site."""
    prepare(folder)
    (folder / "www/large").write_bytes(LARGE)
    (folder / "www/list").mkdir()


def prepare_served(file: str, folder: Path) -> None:
    """Make the web site and copy the server's source."""
    programs.web_root(folder)
    shutil.copy(SERVED / file, folder / file)


def hash_of(body: bytes) -> bytes:
    """Return what the servers answer to such a POST."""
    return hashlib.sha256(body).hexdigest().encode()


def compress(folder: Path) -> None:
    """Have node compress a large body, in one of its threads."""
    assert gzip.decompress(ask(folder, "POST", "/compress", LARGE)) == LARGE


def keep(folder: Path) -> None:
    """Have the Java server keep a body, and return it on another connection."""
    ask(folder, "PUT", "/kept/one", LARGE[:5000])
    ask(folder, "GET", "/kept/one", wanted=LARGE[:5000])


def find_unchanged(folder: Path) -> None:
    """Ask for a page that has not changed since."""
    with closing(UnixConnection(folder / "web.sock")) as connection:
        connection.request("GET", "/index.html")
        response = connection.getresponse()
        response.read()
        tag = response.headers["ETag"]
    ask(folder, "GET", "/index.html", status=304, If_None_Match=tag)


def train_node(folder: Path) -> None:
    """Read a file, hash a small body, miss a file."""
    ask(folder, "GET", "/index.html")
    ask(folder, "POST", "/hash", b"small", wanted=hash_of(b"small"))
    ask(folder, "GET", "/none", status=404)


def train_java(folder: Path) -> None:
    """Read a file, hash a small body, miss a file, collect garbage."""
    train_node(folder)
    ask(folder, "GET", "/garbage/")
