"""Clients of each server, over Unix sockets, with sockets alone."""

from __future__ import annotations

import socket
import struct
from contextlib import closing
from pathlib import Path


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(30)
    client.connect(str(path))
    return client


def http(path: Path, request: str, body: bytes = b"") -> tuple[int, bytes]:
    """Return status and body of one request, `GET /index.html`."""
    head = f"{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with closing(connect(path)) as client:
        client.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    top, _, rest = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), rest


def redis(path: Path, *command: str) -> str:
    """Return the first line of the answer, and the string if the answer is one."""
    words = [f"${len(word.encode())}\r\n{word}\r\n" for word in command]
    with closing(connect(path)) as client, client.makefile("rwb") as stream:
        stream.write(f"*{len(words)}\r\n{''.join(words)}".encode())
        stream.flush()
        line = stream.readline().decode().strip()
        assert not line.startswith("-"), (command, line)
        if line.startswith("$") and line != "$-1":
            return stream.read(int(line[1:])).decode()
        return line


class Postgres:
    """PostgreSQL's protocol, version 3, with simple queries and no password."""

    def __init__(self, path: Path) -> None:
        self._client = connect(path)
        self._stream = self._client.makefile("rwb")
        parameters = b"user\0app\0database\0postgres\0\0"
        self._stream.write(struct.pack("!II", 8 + len(parameters), 3 << 16) + parameters)
        self._answer()

    def query(self, text: str) -> list[str]:
        """Return the first column of each row."""
        content = text.encode() + b"\0"
        self._stream.write(b"Q" + struct.pack("!I", 4 + len(content)) + content)
        return self._answer()

    def _answer(self) -> list[str]:
        self._stream.flush()
        rows: list[str] = []
        while True:
            kind, length = self._stream.read(1), struct.unpack("!I", self._stream.read(4))[0]
            content = self._stream.read(length - 4)
            assert kind != b"E", content
            if kind == b"Z":
                return rows
            if kind == b"D" and content[2:6] != b"\xff\xff\xff\xff":
                size = struct.unpack("!I", content[2:6])[0]
                rows.append(content[6 : 6 + size].decode())

    def close(self) -> None:
        self._client.close()
