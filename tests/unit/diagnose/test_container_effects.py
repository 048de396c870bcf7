"""What keeps a container from being run again without being asked, by its configuration."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seclatch.diagnose.confirm.effects.container_effects import find_effect
from seclatch.diagnose.confirm.effects.mount_effects import MountCheck
from seclatch.runtime.bind_volume import BindVolume
from seclatch.runtime.container_user import UserIdentity
from seclatch.runtime.oci_bundle import BundleOptions, make_config
from seclatch.system.birth_time import read_birth_time

CONTAINER, VOLUME = "c" * 64, "0f" * 32
ALONE = BundleOptions(("true",), "host", UserIdentity(0, 0, (), "/"), ("CAP_CHOWN", "CAP_MKNOD"))
Change = Callable[[dict[str, Any]], object]


def look(change: Change | None = None, **more: Any) -> str:
    """Return what is found about a container as `seclatch run` makes it, with a change.

    `more`: the client, the command, and what else is known about mounts.
    """
    config = copy.deepcopy(make_config(ALONE))
    if change:
        change(config)
    client, words = more.pop("client", "seclatch"), more.pop("words", ("docker", "run", "x"))
    return find_effect(config, MountCheck(words, more.pop("same_view", True), **more), client)


def bind(source: str, *options: str, target: str = "/data") -> dict[str, Any]:
    return {
        "destination": target,
        "source": source,
        "type": "bind",
        "options": ["rbind", *options],
    }


def device(kind: str, major: int, minor: int) -> dict[str, Any]:
    return {"path": "/dev/null", "type": kind, "major": major, "minor": minor}


def namespaces(config: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(each for each in config["linux"]["namespaces"] if each["type"] == kind)


def test_a_container_that_is_alone() -> None:
    assert look() == ""


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "mount"])
def test_a_shared_namespace(kind: str) -> None:
    def leave_out(config: dict[str, Any]) -> None:
        config["linux"]["namespaces"].remove(namespaces(config, kind))

    def join(config: dict[str, Any]) -> None:
        namespaces(config, kind)["path"] = "/proc/7/ns/x"

    assert look(leave_out) == f"it shares the host's {kind} namespace"
    assert look(leave_out, client="docker") == f"it shares the host's {kind} namespace"
    assert look(join) == f"it shares a {kind} namespace with others (/proc/7/ns/x)"
    # An engine's further containers get a network of their own with nothing in it.
    assert (look(join, client="docker") == "") is (kind == "network")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.update(hooks={"poststop": [{"path": "/bin/x"}]}), "a hook runs with it"),
        (lambda c: c.update(hooks={"later": [{"path": "/bin/x"}]}), "a hook runs with it"),
        (lambda c: c.update(vm={}), "has vm, whose effect is not known"),
        (lambda c: c["linux"].update(netDevices={"eth0": {}}), "has netDevices, whose effect"),
        (lambda c: c["linux"].update(rootfsPropagation="shared"), "rootfsPropagation"),
        (lambda c: c["linux"].update(devices=[{"path": "/dev/kvm"}]), "a device (/dev/kvm)"),
        (lambda c: c["linux"].update(devices=[device("b", 8, 0)]), "a device (/dev/null)"),
        (
            lambda c: c["linux"]["resources"]["devices"].append(
                {"allow": True, "type": "b", "major": 8, "minor": 0, "access": "rwm"}
            ),
            "it may open devices",
        ),
        (lambda c: c["linux"]["resources"].update(devices=[]), "it may make devices"),
        (lambda c: c["linux"].update(sysctl={"kernel.panic": "1"}), "a sysctl (kernel.panic)"),
        (lambda c: c["linux"].update(readonlyPaths=[]), "it may write to /proc/sys"),
        (lambda c: c["linux"]["readonlyPaths"].remove("/proc/irq"), "it may write to /proc/irq"),
        (lambda c: c["linux"]["maskedPaths"].remove("/proc/scsi"), "it may write to /proc/scsi"),
        (
            lambda c: c["process"]["capabilities"]["bounding"].append("CAP_SYS_ADMIN"),
            "it has CAP_SYS_ADMIN",
        ),
        (lambda c: c["linux"].update(seccomp={"listenerPath": "/run/x"}), "listenerPath"),
        (lambda c: c.update(annotations={"seclatch.record": "x"}), "annotation"),
        (lambda c: c.update(annotations={"run.oci.seccomp.receiver": "/s"}), "annotation"),
        (lambda c: c.update(annotations={"of.some.other": "x"}), "annotation"),
        (lambda c: c["mounts"].append(bind("/srv/data", "rw")), "it may write to /srv/data"),
        (lambda c: c["mounts"].append(bind("/srv/data")), "it may write to /srv/data"),
        (lambda c: c["mounts"].append(bind("/srv/data", "ro", "rw")), "it may write to /srv/data"),
        (lambda c: c["mounts"].append(bind("/srv", "rshared")), "appears on this host"),
        (
            lambda c: c["mounts"].append({"destination": "/n", "type": "nfs", "source": "x:/"}),
            "it mounts /n: nfs",
        ),
        (
            lambda c: c["mounts"].append({"destination": "/s", "type": "sysfs", "source": "s"}),
            "it mounts /s: sysfs",
        ),
        (
            lambda c: c["mounts"].append({"destination": "/data", "type": "proc", "source": "p"}),
            "it mounts /data: proc",
        ),
        (lambda c: c["mounts"].append(bind("data", "ro")), "it is not known what it mounts"),
        (lambda c: c["mounts"].append(bind("/proc", "ro")), "on a file system of another kind"),
    ],
)
def test_what_reaches_further(change: Change, reason: str) -> None:
    assert reason in look(change)


def test_a_device_that_every_container_has() -> None:
    assert look(lambda c: c["linux"].update(devices=[device("c", 1, 3)])) == ""


def give_volume(source: str) -> Change:
    return lambda config: config["mounts"].append(bind(source, "rw"))


def test_what_is_of_an_engine() -> None:
    own = give_volume(f"/var/lib/docker/containers/{CONTAINER}/hosts")
    assert look(own, client="docker", own_id=CONTAINER) == ""
    # Another container's, or the same path in a bundle that anybody has written.
    assert "it may write to" in look(own, client="docker", own_id=VOLUME)
    assert "it may write to" in look(own)


def test_a_volume_without_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "volumes" / VOLUME
    (folder / "_data").mkdir(parents=True)
    made = read_birth_time(str(folder)) or 0
    assert made
    of_engine = {"client": "podman", "own_id": CONTAINER, "since": made}
    volume = give_volume(f"{folder}/_data")
    assert look(volume, **of_engine) == ""
    # One that the user has named so outlives the container, as does one that was there before.
    words = ("docker", "run", "-v", f"{VOLUME}:/data", "x")
    assert "it may write to" in look(volume, **of_engine, words=words)
    assert "it may write to" in look(volume, **{**of_engine, "since": made + 1})
    namespace = Path("/proc/self/ns/mnt").stat().st_ino
    elsewhere = {**of_engine, "same_view": False}
    assert look(volume, **elsewhere, namespace=namespace) == ""  # by a process that has it
    assert "it may write to" in look(
        volume, **{**elsewhere, "since": made + 1}, namespace=namespace
    )
    assert "it may write to" in look(volume, **elsewhere, namespace=7)
    assert "it may write to" in look(volume, since=made)
    # Such digits in any other path say nothing.
    other = give_volume(f"{tmp_path}/{VOLUME}/_data")
    assert "it may write to" in look(other, **of_engine)
    # With --rm it has gone.
    shutil.rmtree(folder)
    assert look(volume, **of_engine) == ""


def give_hook(path: str, *args: str) -> Change:
    return lambda config: config.update(hooks={"prestart": [{"path": path, "args": list(args)}]})


def test_the_hooks_of_engines() -> None:
    by_dockerd = give_hook("/proc/9/exe", "libnetwork-setkey", "-exec-root=/r")
    by_nerdctl = give_hook("/usr/bin/nerdctl", "nerdctl", "internal", "oci-hook", "createRuntime")
    assert look(by_dockerd, client="docker") == ""
    assert look(by_nerdctl, client="nerdctl") == ""
    for client in ("runc", "crun", "podman", "ctr", "seclatch"):
        assert "a hook runs with it" in look(by_dockerd, client=client)
        assert "a hook runs with it" in look(by_nerdctl, client=client)
    other = give_hook("/srv/hook.sh", "libnetwork-setkey")
    assert look(other, client="docker") == "a hook runs with it (/srv/hook.sh)"


@pytest.mark.parametrize(("host", "own"), [(100000, True), (0, False), ("x", False), (None, False)])
def test_root_of_a_user_namespace_may_be_the_host_s(host: object, own: bool) -> None:
    def map_users(config: dict[str, Any]) -> None:
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": host, "size": 1}]
        config["linux"]["readonlyPaths"] = []

    def add_capability(config: dict[str, Any]) -> None:
        map_users(config)
        config["process"]["capabilities"]["bounding"].append("CAP_SYS_ADMIN")

    assert (look(map_users) == "") is own
    # It may remount there what is read-only.
    assert "it has CAP_SYS_ADMIN" in look(add_capability)


def test_a_read_only_directory_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    def see(config: dict[str, Any]) -> None:
        config["mounts"].append(bind(str(tmp_path), "ro"))

    assert look(see) == ""
    assert look(see, same_view=False) == f"it sees {tmp_path} of its engine's host (at /data)"
    os.mkfifo(tmp_path / "s")
    assert look(see) == f"it may write to {tmp_path}/s"
    assert "cannot be looked at" in look(lambda c: c["mounts"].append(bind("/no/such", "ro")))


def test_volumes_of_seclatch_run() -> None:
    volume = BindVolume("/srv", "/srv", read_only=False)
    config = make_config(ALONE._replace(volumes=(volume,)))
    found = find_effect(config, MountCheck((), same_view=True), "seclatch")
    assert found == "it may write to /srv of this host (at /srv)"


@pytest.mark.parametrize("value", [None, 7, "x", [], [7], {"x": 7}, [{"type": []}]])
def test_any_content_is_read(value: object) -> None:
    """A configuration is untrusted; what it may be is judged, whatever its types."""
    for key in ("process", "mounts", "hooks", "annotations", "linux"):
        look(lambda config, key=key: config.update({key: value}))
    for key in make_config(ALONE)["linux"]:
        look(lambda config, key=key: config["linux"].update({key: value}))
