"""The Debian packages: correct by lintian, reproducible, and working in a bare Debian 13 and 12."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.door.bare_root import CHECKOUT, BareRoot
from tools import deb, deb12

BUILT = Path(os.environ.get("SECLATCH_DEB", "none"))
SUITES = ("trixie", "bookworm")
BUILDERS = {"trixie": deb.build, "bookworm": deb12.build}
# Docker's client is a package of its own since Debian 13.
DOCKER = {"trixie": "docker.io docker-cli", "bookworm": "docker.io"}


def find_package(suite: str) -> Path:
    older = suite == "bookworm"
    [package] = [path for path in BUILT.glob("*.deb") if ("~deb12u" in path.name) is older]
    return package


IMAGE = (
    "tar -C / -c usr/bin/busybox | docker import --change 'ENTRYPOINT [\"/usr/bin/busybox\"]' - box"
)
RUN = "docker run --rm --runtime seclatch --security-opt seccomp=strict.json box"
LEFT = (
    "find / -xdev -name '*seclatch*' -not -path '/root/*' -not -path '/tmp/*' -not -path '/run/*'"
)


@pytest.mark.parametrize("suite", SUITES)
def test_lintian_has_nothing_to_say(suite: str) -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on=error,warning", find_package(suite)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("suite", SUITES)
def test_it_is_built_to_the_same_bytes_again(suite: str, tmp_path: Path) -> None:
    assert BUILDERS[suite](tmp_path).read_bytes() == find_package(suite).read_bytes()


@pytest.fixture(params=SUITES)
def bare_root(request: pytest.FixtureRequest) -> Iterator[BareRoot]:
    root = BareRoot(request.param, [find_package(request.param)])
    try:
        yield root.start()
    finally:
        root.close()


def must(root: BareRoot, command: str) -> str:
    done = root.paste(command)
    assert done.status == 0, f"{command}\n{done.output}"
    return done.output


@pytest.mark.root
@pytest.mark.engine
@pytest.mark.timeout(900)
def test_from_installation_to_purge(bare_root: BareRoot) -> None:
    package = bare_root.extra[0].name
    install = f"apt-get install -y --no-install-recommends {CHECKOUT}/{package}"
    must(bare_root, "apt-get update")
    must(bare_root, f"{install} runc busybox-static {DOCKER[bare_root.suite]}")
    must(bare_root, "cd /root")
    assert "Seccomp:\t2" in must(bare_root, "seclatch demo")
    must(bare_root, "test -s /usr/share/man/man1/seclatch.1.gz")
    must(bare_root, "bash -n /usr/share/bash-completion/completions/seclatch")
    scanned = bare_root.paste("seclatch scan /")
    assert scanned.status != 0
    assert "what to do" in scanned.output

    must(bare_root, IMAGE)
    must(bare_root, "seclatch profile example strict -o strict.json")
    must(bare_root, "seclatch install docker")
    assert "Seccomp:\t2" in must(bare_root, f"{RUN} grep Seccomp: /proc/self/status")

    must(bare_root, f"{install} --reinstall")
    assert "Seccomp:\t2" in must(bare_root, f"{RUN} grep Seccomp: /proc/self/status")

    # What `install` placed in /usr/local/lib goes on working without the package.
    must(bare_root, "apt-get remove -y seclatch")
    assert bare_root.paste("seclatch --version").status == 127
    assert "Seccomp:\t2" in must(bare_root, f"{RUN} grep Seccomp: /proc/self/status")

    must(bare_root, install)
    must(bare_root, "seclatch uninstall docker")
    must(bare_root, "apt-get purge -y seclatch")
    assert must(bare_root, LEFT) == ""
