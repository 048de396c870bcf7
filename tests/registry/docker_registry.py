"""Debian's docker-registry on a free port of loopback, with its content in a directory."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path


@dataclass
class DockerRegistry:
    host: str
    storage: Path
    process: subprocess.Popen[bytes]

    def blob(self, digest: str) -> Path:
        name = digest.removeprefix("sha256:")
        return self.storage / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def start_registry(folder: Path, **http: object) -> DockerRegistry:
    """Start one, with more of the section `http` or `auth` of its configuration."""
    assert shutil.which("docker-registry"), "apt-get install docker-registry"
    folder.mkdir(parents=True, exist_ok=True)
    auth = http.pop("auth", None)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage"), "maxthreads": 100}},
        "http": {"addr": f"127.0.0.1:{port}", **http},
    } | ({"auth": auth} if auth else {})
    file = folder / "registry.yml"
    file.write_text(json.dumps(configuration))  # JSON is YAML
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", file], stdout=log, stderr=subprocess.STDOUT
        )
    found = DockerRegistry(f"localhost:{port}", folder / "storage", process)
    _wait(port, process, folder / "registry.log")
    return found


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=60).close()
        except urllib.error.HTTPError:
            return  # it answers: 401 with auth, 400 with TLS
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"docker-registry does not answer: {log.read_text()}")
