"""config.json from options: Docker's defaults, and what each option changes."""

from typing import Any

import pytest

from seclatch.runtime.bind_volume import BindVolume
from seclatch.runtime.container_user import UserIdentity
from seclatch.runtime.oci_bundle import BundleOptions, make_config

ROOT = UserIdentity(0, 0, (), "/root")


def options(**changes: Any) -> Any:
    base = BundleOptions(args=("true",), hostname="h", identity=ROOT, capabilities=("CAP_KILL",))
    return base._replace(**changes)


def mount(config: Any, destination: Any) -> Any:
    (found,) = [each for each in config["mounts"] if each["destination"] == destination]
    return found


def test_defaults_are_dockers() -> None:
    config = make_config(options())
    assert config["process"]["args"] == ["true"]
    assert config["process"]["cwd"] == "/"
    assert config["process"]["noNewPrivileges"] is False
    assert config["root"] == {"path": "rootfs", "readonly": False}
    assert {each["type"] for each in config["linux"]["namespaces"]} == {
        "pid",
        "ipc",
        "uts",
        "mount",
        "network",
        "cgroup",
    }
    assert "/proc/kcore" in config["linux"]["maskedPaths"]
    assert "/proc/sys" in config["linux"]["readonlyPaths"]
    assert config["linux"]["resources"]["devices"] == [{"allow": False, "access": "rwm"}]
    assert mount(config, "/sys")["options"] == ["nosuid", "noexec", "nodev", "ro"]
    assert "seccomp" not in config["linux"]


def test_filter_is_passed_on_unchanged() -> None:
    seccomp = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}
    assert make_config(options(seccomp=seccomp))["linux"]["seccomp"] == seccomp


def test_only_root_holds_capabilities() -> None:
    root = make_config(options())["process"]["capabilities"]
    other = make_config(options(identity=UserIdentity(5, 5, (), "/")))["process"]["capabilities"]
    assert root["effective"] == root["permitted"] == root["bounding"] == ["CAP_KILL"]
    assert other["effective"] == other["permitted"] == []
    assert other["bounding"] == ["CAP_KILL"]
    assert root["inheritable"] == root["ambient"] == []


def test_given_environment_wins() -> None:
    config = make_config(options(env=("HOME=/x", "A=b=c"), terminal=True))
    assert config["process"]["env"][:3] == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME=h",
        "TERM=xterm",
    ]
    assert config["process"]["env"][3:] == ["HOME=/x", "A=b=c"]


def test_terminal_size() -> None:
    assert "consoleSize" not in make_config(options())["process"]
    config = make_config(options(terminal=True, size=(100, 30)))
    assert config["process"]["consoleSize"] == {"width": 100, "height": 30}


@pytest.mark.parametrize(("read_only", "mode"), [(True, "rro"), (False, "rw")])
def test_volume(read_only: Any, mode: Any) -> None:
    config = make_config(options(volumes=(BindVolume("/a", "/b", read_only),)))
    assert config["mounts"][-1] == {
        "destination": "/b",
        "type": "bind",
        "source": "/a",
        "options": ["rbind", mode, "rprivate"],
    }


def test_host_network_has_no_namespace_and_no_sysctls() -> None:
    sysctls = (("net.ipv4.ip_unprivileged_port_start", "0"),)
    own = make_config(options(sysctls=sysctls))["linux"]
    host = make_config(options(sysctls=sysctls, host_network=True))["linux"]
    assert own["sysctl"] == dict(sysctls)
    assert "sysctl" not in host
    assert {"type": "network"} not in host["namespaces"]


def test_cgroup_version_1_shares_the_hosts_cgroup_namespace() -> None:
    linux = make_config(options(unified=False))["linux"]
    assert {"type": "cgroup"} not in linux["namespaces"]


def test_no_device_rules_without_a_device_cgroup() -> None:
    assert make_config(options(device_control=False))["linux"]["resources"] == {}
