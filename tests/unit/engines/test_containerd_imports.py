"""containerd's files below --root: which one gets the handler, and that all are restored."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from seclatch.engines.containerd_imports import expand_pattern
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import InputError
from tests.unit.engines.tree import Tree

CONFIG = "/etc/containerd/config.toml"
CONF_D = "/etc/containerd/conf.d"
OURS = f"{CONF_D}/50-seclatch.toml"
NVIDIA = f"{CONF_D}/99-nvidia.toml"
V2, V3 = "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"
FRONT = "/usr/local/lib/seclatch/containerd/runc"

IMPORTING = 'imports = ["/etc/containerd/conf.d/*.toml"] # of others\n'
KUBEADM = """\
[plugins."{plugin}".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."{plugin}".containerd.runtimes.runc.options]
    SystemdCgroup = true
"""
# As NVIDIA's toolkit writes it: the handlers of the file before, and its own.
TOOLKIT = (
    KUBEADM
    + """\
[plugins."{plugin}".containerd.runtimes.nvidia]
  runtime_type = "io.containerd.runc.v2"
  [plugins."{plugin}".containerd.runtimes.nvidia.options]
    BinaryName = "/usr/bin/nvidia-container-runtime"
    SystemdCgroup = true
"""
)


def handlers(tree: Tree, path: str, plugin: str) -> dict[str, Any]:
    table = tomllib.loads(tree.path(path).read_text())
    found: dict[str, Any] = table["plugins"][plugin]["containerd"]["runtimes"]
    return found


def restored(tree: Tree, *words: str) -> None:
    """Install and uninstall three times; each time everything is as before."""
    before = tree.snapshot()
    for _ in range(3):
        tree.run("install", "containerd", *words)
        assert tree.plan("install", "containerd", *words)["steps"] == []
        tree.run("uninstall", "containerd")
        assert tree.snapshot() == before


def test_on_version_2_the_last_file_with_a_cri_section_gets_it(tree: Tree) -> None:
    main = tree.write(CONFIG, "version = 2\n" + IMPORTING + KUBEADM.format(plugin=V2))
    tree.write(NVIDIA, "version = 2\n" + TOOLKIT.format(plugin=V2))
    tree.write(f"{CONF_D}/99-registry.toml", '[plugins."x"]\na = 1\n')
    restored(tree)
    before = main.read_text()
    tree.run("install", "containerd")
    assert main.read_text() == before
    found = handlers(tree, NVIDIA, V2)
    assert set(found) == {"runc", "nvidia", "seclatch"}
    assert found["seclatch"]["options"] == {"BinaryName": FRONT, "SystemdCgroup": True}


def test_another_file_that_comes_later_gets_it_at_the_next_install(tree: Tree) -> None:
    main = tree.write(CONFIG, "version = 2\n" + IMPORTING + KUBEADM.format(plugin=V2))
    before = main.read_bytes()
    tree.run("install", "containerd")
    assert "seclatch" in handlers(tree, CONFIG, V2)
    # The toolkit copies the handlers that it finds, the latch's among them.
    nvidia = tree.write(NVIDIA, "version = 2\n" + TOOLKIT.format(plugin=V2))
    without = nvidia.read_bytes()
    nvidia.write_text(
        without.decode()
        + f'[plugins."{V2}".containerd.runtimes.seclatch]\nruntime_type = "io.containerd.runc.v2"\n'
        + f'[plugins."{V2}".containerd.runtimes.seclatch.options]\nBinaryName = "{FRONT}"\n'
    )
    tree.run("install", "containerd")
    assert main.read_bytes() == before
    assert handlers(tree, NVIDIA, V2)["seclatch"]["options"]["SystemdCgroup"] is True
    tree.run("uninstall", "containerd")
    assert main.read_bytes() == before
    assert tomllib.loads(nvidia.read_text()) == tomllib.loads(without.decode())


@pytest.mark.parametrize("main", ["version = 3\n", "version = 3\n" + KUBEADM.format(plugin=V3)])
def test_on_version_3_a_drop_in_and_its_import(tree: Tree, main: str) -> None:
    config = tree.write(CONFIG, main)
    restored(tree)
    tree.run("install", "containerd", "--default")
    assert tomllib.loads(config.read_text())["imports"] == [f"{CONF_D}/50-seclatch*.toml"]
    found = handlers(tree, OURS, V3)
    assert set(found) == {"seclatch"}
    wanted = {"BinaryName": FRONT, **({"SystemdCgroup": True} if "SystemdCgroup" in main else {})}
    assert found["seclatch"]["options"] == wanted
    table = tomllib.loads(tree.path(OURS).read_text())
    assert table["version"] == 3
    assert table["plugins"][V3]["containerd"]["default_runtime_name"] == "seclatch"


def test_an_import_that_is_there_is_used(tree: Tree) -> None:
    """As `containerd config default` of 2.2 writes it."""
    config = tree.write(CONFIG, "version = 3\n" + IMPORTING + KUBEADM.format(plugin=V3))
    # Sections of several files are merged: options may come from any of them.
    other = f'[plugins."{V3}".containerd.runtimes.runc.options]\nNoNewKeyring = true\n'
    other += "SystemdCgroup = false\n"
    tree.write(f"{CONF_D}/10-more.toml", f"version = 3\n{other}")
    restored(tree)
    before = config.read_bytes()
    tree.run("install", "containerd")
    assert config.read_bytes() == before
    assert handlers(tree, OURS, V3)["seclatch"]["options"] == {
        "BinaryName": FRONT,
        "SystemdCgroup": False,
        "NoNewKeyring": True,
    }


def test_imports_that_others_change_later_are_kept(tree: Tree) -> None:
    config = tree.write(CONFIG, 'version = 3\nimports = [\n  "/a/*.toml", # a\n]\n[debug]\n')
    tree.run("install", "containerd")
    config.write_text(config.read_text().replace("/a/*.toml", "/b/*.toml"))
    tree.run("uninstall", "containerd")
    assert tomllib.loads(config.read_text())["imports"] == ["/b/*.toml"]
    assert "# a" in config.read_text()
    assert not tree.path(OURS).exists()
    assert not tree.path(CONF_D).exists()


def test_a_file_that_is_read_twice(tree: Tree) -> None:
    """By two names of its directory: the last reading counts, of whichever file it is."""
    names = f'"{CONF_D}/*.toml", "/etc/containerd/link/10.toml"'
    tree.write(CONFIG, f"version = 2\nimports = [{names}]\n")
    tree.write(f"{CONF_D}/10.toml", KUBEADM.format(plugin=V2))
    tree.write(NVIDIA, TOOLKIT.format(plugin=V2))
    tree.path("/etc/containerd/link").symlink_to("conf.d")
    restored(tree)
    tree.run("install", "containerd")
    assert set(handlers(tree, f"{CONF_D}/10.toml", V2)) == {"runc", "seclatch"}


def test_another_s_handler_in_an_imported_file_is_refused(tree: Tree) -> None:
    tree.write(CONFIG, "version = 2\n" + IMPORTING)
    other = tree.write(NVIDIA, f'[plugins."{V2}".containerd.runtimes.seclatch]\nruntime_type="x"\n')
    before = tree.snapshot()
    with pytest.raises(InputError, match="did not register") as caught:
        tree.run("install", "containerd")
    assert caught.value.source == str(other)
    assert tree.snapshot() == before


def test_cri_disabled_in_an_imported_file(tree: Tree) -> None:
    tree.write(CONFIG, "version = 2\n" + IMPORTING)
    tree.write(NVIDIA, f'disabled_plugins = ["{V2}"]\n')
    assert any("CRI is disabled" in note for note in tree.plan("install", "containerd")["notes"])


def test_imports_that_never_end(tree: Tree) -> None:
    tree.write(CONFIG, f'version = 2\nimports = ["config.toml", "{CONFIG}", "./x"]\n')
    tree.write("/etc/containerd/x", 'imports = ["config.toml"]\n')
    tree.run("install", "containerd")
    assert "seclatch" in handlers(tree, CONFIG, V2)


@pytest.mark.parametrize("name", ["/gone.toml", "conf.d/gone.toml"])
def test_a_missing_import_is_named(tree: Tree, name: str) -> None:
    tree.write(CONFIG, f'version = 3\nimports = ["{name}", "{CONF_D}/*.toml"]\n')
    before = tree.snapshot()
    with pytest.raises(InputError, match=r"gone\.toml is not there") as caught:
        tree.run("install", "containerd")
    assert caught.value.place == "imports"
    assert tree.snapshot() == before


def test_a_record_of_the_former_version_is_understood(tree: Tree) -> None:
    config = tree.write(CONFIG, "version = 2\n# mine\n")
    before = tree.snapshot()
    tree.run("install", "containerd")
    path = tree.path("/var/lib/seclatch/install/containerd.json")
    record = json.loads(path.read_text())
    [file] = record.pop("files")
    del file["path"]
    path.write_text(json.dumps({**record, **file, "version": 1}))
    tree.run("uninstall", "containerd")
    assert config.read_text() == "version = 2\n# mine\n"
    assert tree.snapshot() == before


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("/etc/c/*.toml", [".d.toml", "a.toml", "b.toml"]),
        ("/etc/*/[^a].toml", ["b.toml"]),
        ("/link/?.toml", ["a.toml", "b.toml"]),
        ("/etc/c/a.toml", ["a.toml"]),
        ("/none/*.toml", []),
    ],
)
def test_patterns_match_as_containerd_s(tmp_path: Path, pattern: str, names: list[str]) -> None:
    folder = tmp_path / "etc/c"
    folder.mkdir(parents=True)
    for name in ("a.toml", "b.toml", ".d.toml", "no"):
        (folder / name).touch()
    (tmp_path / "link").symlink_to("/etc/c")
    found = expand_pattern(HostRoot(tmp_path), pattern)
    assert [Path(path).name for path in found] == names
