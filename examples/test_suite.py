"""A test suite of an image, for pytest: what it does is what the profile has to allow.

IMAGE=web pytest --seclatch-record recordings --seclatch-profile web=strict.json test_suite.py
"""

import os
import subprocess
from collections.abc import Iterator

import pytest

ENGINE = os.environ.get("ENGINE", "docker").split()
IMAGE = os.environ.get("IMAGE", "web")


def engine(*words: str) -> str:
    """Run the engine's client; return what it prints."""
    done = subprocess.run([*ENGINE, *words], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def web() -> Iterator[str]:
    """Start the container that all tests use."""
    container = engine("run", "--detach", "--network=none", IMAGE, "sleep", "600")
    yield container
    engine("rm", "--force", container)


def test_it_reads_its_files(web: str) -> None:
    assert "root" in engine("exec", web, "cat", "/etc/passwd")


def test_it_writes_into_its_own_directory(web: str) -> None:
    engine("exec", web, "sh", "-c", "mkdir -p /tmp/new && echo x > /tmp/new/file")
