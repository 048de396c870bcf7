"""Install for real Podman, at the host's own paths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import require
from tests.engines.host import PrivateHost
from tests.engines.installing import SEEN, STRICT, Administrator
from tests.engines.podman import Podman
from tests.latch.oci import wait_until

DROP_IN = "/etc/containers/containers.conf.d/50-seclatch.conf"


@pytest.fixture
def podman(own_host: PrivateHost, image: Path) -> Iterator[Podman]:
    """Provide Podman with the private host's own /etc/containers."""
    require(*Podman.programs)
    podman = Podman(own_host, {})
    podman.load(image)
    yield podman
    podman.stop()


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_registered_runtime_starts_what_the_bare_one_cannot(
    podman: Podman, seclatch: Administrator, runtime: str
) -> None:
    before = seclatch.tree()
    assert podman.run(*SEEN, runtime=runtime, profile=STRICT).returncode != 0
    seclatch.must("install", "podman", "--runtime", runtime)
    latched = podman.run(*SEEN, runtime="seclatch", profile=STRICT)
    assert (latched.returncode, latched.stdout.split()) == (0, ["Seccomp:", "2"]), latched.stderr
    container = podman.detach("/bin/sleep", "1000", runtime="seclatch", profile=STRICT)
    assert podman.exec(container, *SEEN).stdout.split() == ["Seccomp:", "2"]
    assert container in seclatch("uninstall", "podman").stderr
    podman.remove(container)
    # conmon, whose command line names the latch, ends a moment after `podman rm`.
    wait_until(lambda: seclatch("uninstall", "podman").returncode == 0, "conmon to end")
    assert podman.run("/bin/true", runtime="seclatch").returncode != 0
    assert seclatch.tree() == before


def test_containers_without_cgroups_are_granted_to_crun(
    podman: Podman, seclatch: Administrator
) -> None:
    seclatch.must("install", "podman", "--runtime", "crun")
    done = podman.run(*SEEN, runtime="seclatch", profile=STRICT, extra=["--cgroups=disabled"])
    assert (done.returncode, done.stdout.split()) == (0, ["Seccomp:", "2"]), done.stderr


def test_the_runtime_s_own_error_reaches_the_user(podman: Podman, seclatch: Administrator) -> None:
    seclatch.must("install", "podman", "--runtime", "crun")
    failed = podman.run("/bin/no-such-program", runtime="seclatch")
    bare = podman.run("/bin/no-such-program", runtime="crun")
    assert failed.returncode == bare.returncode == 127
    assert "no-such-program" in failed.stderr


def test_default_runtime_is_set_and_restored(podman: Podman, seclatch: Administrator) -> None:
    def default() -> str:
        runtime = json.loads(podman.must("info", "--format", "{{json .Host.OCIRuntime}}"))
        return str(runtime["path"])

    former = default()
    seclatch.must("install", "podman", "--default", "--runtime", "crun")
    assert default() == "/usr/local/lib/seclatch/podman/crun"
    assert podman.run(*SEEN, profile=STRICT).stdout.split() == ["Seccomp:", "2"]
    assert seclatch.plan("install", "podman", "--default", "--runtime", "crun")["steps"] == []
    seclatch.must("uninstall", "podman")
    assert default() == former


def test_lists_that_an_administrator_set_stay_in_force(
    podman: Podman, seclatch: Administrator
) -> None:
    seclatch.write(
        "/etc/containers/containers.conf", '[engine]\nruntime_supports_nocgroup = ["mine"]\n'
    )
    seclatch.must("install", "podman", "--runtime", "crun")
    text = seclatch.host.path(DROP_IN).read_text()
    assert 'runtime_supports_nocgroup = ["mine", "seclatch"]' in text
    assert podman.command("info").returncode == 0


def test_a_drop_in_edited_by_another_keeps_the_addition(
    podman: Podman, seclatch: Administrator
) -> None:
    seclatch.must("install", "podman", "--default")
    path = seclatch.host.path(DROP_IN)
    path.write_text(path.read_text() + "\n[containers]\npids_limit = 77 # mine\n")
    seclatch.must("uninstall", "podman")
    left = path.read_text()
    assert "pids_limit = 77 # mine" in left
    assert "= [" not in left
    assert podman.command("info").returncode == 0


def test_a_node_proves_the_latch_by_a_start(
    podman: Podman, seclatch: Administrator, own_host: PrivateHost
) -> None:
    storage = f'[storage]\ndriver = "vfs"\nrunroot = "{podman.directory}/r"\ngraphroot = '
    seclatch.write("/etc/containers/storage.conf", f'{storage}"{podman.directory}/g"\n')
    engine = '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    seclatch.write("/etc/containers/containers.conf", engine)
    before = seclatch.tree()
    first = seclatch("node", "--install", "podman")
    assert first.returncode == 0 and "a probe container started latched" in first.stdout, first
    assert "seclatch.io/probe" in own_host.run("podman", "images", check=True).stdout
    seclatch.must("node", "--install", "podman", "--remove")
    assert "seclatch.io/probe" not in own_host.run("podman", "images", check=True).stdout
    assert seclatch.tree() == before
