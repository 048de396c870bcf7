"""What keeps a container from being run again without being asked, by its configuration."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seclatch.diagnose.confirm.container_effects import find_effect
from seclatch.diagnose.confirm.mount_effects import MountCheck
from seclatch.runtime.bind_volume import BindVolume
from seclatch.runtime.container_user import UserIdentity
from seclatch.runtime.oci_bundle import BundleOptions, make_config

CONTAINER, VOLUME = "c" * 64, "0f" * 32
ALONE = BundleOptions(("true",), "host", UserIdentity(0, 0, (), "/"), ("CAP_CHOWN", "CAP_MKNOD"))
Change = Callable[[dict[str, Any]], object]


def look(change: Change | None = None, **more: Any) -> str:
    """Return what is found about a container as `seclatch run` makes it, with a change."""
    config = copy.deepcopy(make_config(ALONE))
    if change:
        change(config)
    check = MountCheck(more.pop("words", ("docker", "run", "x")), more.pop("same_view", True))
    return find_effect(config, check, **{"makes_devices": True, "offline": False, **more})


def bind(source: str, *options: str, target: str = "/data") -> dict[str, Any]:
    return {
        "destination": target,
        "source": source,
        "type": "bind",
        "options": ["rbind", *options],
    }


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
    assert look(leave_out, offline=True) == f"it shares the host's {kind} namespace"
    assert look(join) == f"it shares a {kind} namespace with others (/proc/7/ns/x)"
    # An engine's further containers get a network of their own with nothing in it.
    assert (look(join, offline=True) == "") is (kind == "network")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.update(hooks={"poststop": [{"path": "/bin/x"}]}), "a hook runs with it"),
        (lambda c: c.update(hooks={"later": [{"path": "/bin/x"}]}), "a hook runs with it"),
        (lambda c: c.update(vm={}), "has vm, whose effect is not known"),
        (lambda c: c["linux"].update(netDevices={"eth0": {}}), "has netDevices, whose effect"),
        (lambda c: c["linux"].update(rootfsPropagation="shared"), "rootfsPropagation"),
        (lambda c: c["linux"].update(devices=[{"path": "/dev/kvm"}]), "a device (/dev/kvm)"),
        (
            lambda c: c["linux"]["resources"]["devices"].append(
                {"allow": True, "type": "b", "major": 8, "minor": 0, "access": "rwm"}
            ),
            "it may open devices",
        ),
        (lambda c: c["linux"]["resources"].update(devices=[]), "it may make devices"),
        (lambda c: c["linux"].update(sysctl={"kernel.panic": "1"}), "a sysctl (kernel.panic)"),
        (lambda c: c["linux"].update(readonlyPaths=[]), "it may write to /proc/sys"),
        (
            lambda c: c["process"]["capabilities"]["bounding"].append("CAP_SYS_ADMIN"),
            "it has CAP_SYS_ADMIN",
        ),
        (lambda c: c["linux"].update(seccomp={"listenerPath": "/run/x"}), "listenerPath"),
        (lambda c: c.update(annotations={"seclatch.record": "x"}), "annotation"),
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
    ],
)
def test_what_reaches_further(change: Change, reason: str) -> None:
    assert reason in look(change)


def test_what_is_of_an_engine() -> None:
    def give(config: dict[str, Any]) -> None:
        config["hooks"] = {
            "prestart": [{"path": "/proc/9/exe", "args": ["libnetwork-setkey", "-exec-root=/r"]}]
        }
        config["mounts"] += [
            bind(f"/var/lib/docker/containers/{CONTAINER}/hosts", target="/etc/hosts"),
            bind(f"/var/lib/docker/volumes/{VOLUME}/_data", "rw"),
        ]
        config["linux"]["resources"]["devices"].append(
            {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}
        )

    assert look(give) == ""
    # A volume that the user has named so outlives the container.
    assert "it may write to" in look(give, words=("docker", "run", "-v", f"{VOLUME}:/data", "x"))


def test_root_of_a_user_namespace_is_not_the_host_s() -> None:
    def map_users(config: dict[str, Any]) -> None:
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["readonlyPaths"] = []
        config["process"]["capabilities"]["bounding"].append("CAP_SYS_ADMIN")

    assert look(map_users) == ""


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
    found = find_effect(config, MountCheck((), True), makes_devices=True, offline=False)
    assert found == "it may write to /srv of this host (at /srv)"


@pytest.mark.parametrize("value", [None, 7, "x", [], [7], {"x": 7}, [{"type": []}]])
def test_any_content_is_read(value: object) -> None:
    """A configuration is untrusted; what it may be is judged, whatever its types."""
    for key in ("process", "mounts", "hooks", "annotations", "linux"):
        look(lambda config, key=key: config.update({key: value}))
    for key in make_config(ALONE)["linux"]:
        look(lambda config, key=key: config["linux"].update({key: value}))
