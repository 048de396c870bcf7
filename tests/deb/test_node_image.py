"""The agent's image, built by buildah from the Debian package, at work beside a real containerd."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from seclatch.recording.files import recording_file
from tests.agent.agent_host import AgentHost
from tests.agent.conftest import agent_host, machine  # noqa: F401 (fixtures)
from tests.agent.recorded_pods import RECORDED, await_answer, await_complete, start_pod
from tests.deb.test_deb import find_package
from tests.door.bare_root import ROOT, apt_options, source

pytestmark = [pytest.mark.root, pytest.mark.engine, pytest.mark.timeout(900)]

BASE, IMAGE = "localhost/base", "localhost/seclatch"


class Buildah:
    """buildah with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self.options = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]
        self.options += ["--storage-driver", "vfs"]

    def __call__(self, *words: str | Path) -> str:
        done = subprocess.run(
            ["buildah", *self.options, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stderr[-3000:]}{done.stdout[-3000:]}"
        return done.stdout.strip()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Build the image on a minimal Debian, since there is no registry to take one from."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "apt.conf").write_text(apt_options())
    bootstrap = ["mmdebstrap", "--quiet", "--variant=minbase", f"--aptopt={folder}/apt.conf"]
    bootstrap += ["--include=debian-archive-keyring"]
    base = folder / "base.tar"
    subprocess.run([*bootstrap, "trixie", base, source("trixie")], check=True)
    buildah = Buildah(folder)
    container = buildah("from", "scratch")
    buildah("add", container, base, "/")
    buildah("commit", "--rm", container, BASE)
    context = folder / "dist"
    context.mkdir()
    package = find_package("trixie")
    (context / package.name).write_bytes(package.read_bytes())
    file = ROOT / "containers/node/Containerfile"
    words = [
        "--isolation=chroot",
        "--network=host",
        "--ulimit=nofile=1024:1024",
        "--ulimit=nproc=4096:4096",
    ]
    words += [f"--build-arg=BASE={BASE}", "--pull=never"]
    buildah("build", *words, "--file", file, "--tag", IMAGE, context)
    target = folder / "image.tar"
    buildah("push", IMAGE, f"docker-archive:{target}:{IMAGE}:latest")
    yield target
    subprocess.run(["chmod", "-R", "u+w", folder], check=False)


def test_the_image_does_what_the_daemon_set_asks(
    archive: Path,
    agent_host: AgentHost,
) -> None:
    host = agent_host
    host.use_image(archive, f"{IMAGE}:latest")
    [first] = host.run_agent()
    assert first["ready"] and first["restarted"] and first["probed"], first
    assert host.api.patches() == ["ready"]
    [second] = host.run_agent()
    assert second["ready"] and second["changed"] == []
    # the second container: the image has ctr, by which a recording gets the name of its image
    [third] = host.run_agent("--record-annotations")
    assert third["ready"] and third["restarted"], third
    recorder = host.start_recorder()
    await_answer(host, recorder)
    pod, container = start_pod(host, "shop", RECORDED)
    assert pod.execute(container, "/bin/exit42")[0] == 42
    pod.remove()
    [one] = recording_file.read_recording(await_complete(host, recorder)).containers
    assert one.image and one.image.name and str(one.pod) == "default/shop/web", one
    host.kill_container(recorder)
    host.start_agent("--once", "--remove")


def test_the_image_has_no_more_than_it_needs(archive: Path) -> None:
    """No shell history, package lists, compiler; less than 280 MB."""
    assert archive.stat().st_size < 280 << 20
    done = subprocess.run(
        ["skopeo", "inspect", "--config", f"docker-archive:{archive}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TMPDIR": str(archive.parent)},
    )
    configuration = json.loads(done.stdout)["config"]
    assert configuration["Entrypoint"] == ["/usr/bin/seclatch"]
