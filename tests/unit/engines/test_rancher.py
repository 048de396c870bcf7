"""k3s and RKE2: what their next start makes of the files, rendered as their templates are.

On files alone: the generated configuration here has the parts of theirs that count.
"""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from seclatch.engines.rancher import BASE, DROP_INS, TEMPLATES
from seclatch.errors import InputError, SeclatchError
from tests.unit.engines.tree import Tree

PLUGIN = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime"}
OWN = '[proxy_plugins."soci"]\ntype = "snapshot"\n'


def folder(name: str) -> str:
    return f"/var/lib/rancher/{name}/agent/etc/containerd"


def make_base(name: str, version: int, *, imports: bool) -> str:
    """Return what the distribution generates by itself."""
    runc = f"[plugins.'{PLUGIN[version]}'.containerd.runtimes.runc"
    imported = f'imports = ["{folder(name)}/{DROP_INS[version]}/*.toml"]\n' if imports else ""
    return (
        f'{imported}version = {version}\nroot = "/var/lib/rancher/{name}/agent/containerd"\n'
        f'{runc}]\n  runtime_type = "io.containerd.runc.v2"\n'
        f"{runc}.options]\n  SystemdCgroup = true\n"
    )


def start(tree: Tree, name: str, version: int, *, imports: bool) -> dict[str, Any]:
    """Do what a start does to the files; return the handlers that containerd has then."""
    base = make_base(name, version, imports=imports)
    template = tree.path(f"{folder(name)}/{TEMPLATES[version]}")
    text = template.read_text() if template.exists() else BASE
    text = text.replace(BASE.strip(), base)
    tree.write(f"{folder(name)}/config.toml", text)
    handlers: dict[str, Any] = {}
    drop_ins = tree.path(f"{folder(name)}/{DROP_INS[version]}")
    texts = [path.read_text() for path in drop_ins.glob("*.toml")] if imports else []
    for one in (text, *texts):
        plugin = tomllib.loads(one).get("plugins", {}).get(PLUGIN[version], {})
        handlers |= plugin.get("containerd", {}).get("runtimes", {})
    return handlers


@pytest.mark.parametrize("name", ["k3s", "rke2"])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("imports", [False, True], ids=["template", "drop-in"])
@pytest.mark.parametrize("own", [False, True], ids=["", "own"])
def test_there_and_back(tree: Tree, name: str, version: int, imports: bool, own: bool) -> None:
    if own and imports:
        tree.write(f"{folder(name)}/{DROP_INS[version]}/10-own.toml", OWN)
    elif own:
        tree.write(f"{folder(name)}/{TEMPLATES[version]}", BASE + OWN)
    start(tree, name, version, imports=imports)
    before = tree.snapshot()
    notes = tree.plan("install", name, "--dry-run")["notes"]
    assert any("has not confirmed this" in note for note in notes)
    assert tree.snapshot() == before
    for _ in range(2):
        tree.run("install", name)
        assert "nothing to do" in tree.run("install", name)
        handlers = start(tree, name, version, imports=imports)
        assert handlers["seclatch"] == {
            "runtime_type": "io.containerd.runc.v2",
            "options": {
                "SystemdCgroup": True,
                "BinaryName": f"/usr/local/lib/seclatch/{name}/runc",
            },
        }
        assert "nothing to do" in tree.run("install", name)  # its own handler is there now
        tree.run("uninstall", name)
        assert "seclatch" not in start(tree, name, version, imports=imports)
        assert tree.snapshot() == before


def test_its_own_runc_comes_before_that_of_the_path(tree: Tree) -> None:
    start(tree, "k3s", 3, imports=True)
    tree.run("install", "k3s")
    link = tree.path("/usr/local/lib/seclatch/k3s/runc.runtime")
    assert str(link.readlink()) == "/usr/bin/runc"
    own = "/var/lib/rancher/k3s/data/current/bin/runc"
    tree.write(own, "").chmod(0o755)
    tree.run("install", "k3s")
    assert str(link.readlink()) == own


def test_an_upgrade_from_template_to_drop_in(tree: Tree) -> None:
    """The next `install` moves the handler; in between it is there once."""
    start(tree, "rke2", 3, imports=False)
    before = tree.snapshot()
    tree.run("install", "rke2")
    assert "seclatch" in start(tree, "rke2", 3, imports=True)
    tree.run("install", "rke2")
    assert not tree.path(f"{folder('rke2')}/{TEMPLATES[3]}").exists()
    assert "seclatch" in start(tree, "rke2", 3, imports=True)
    tree.run("uninstall", "rke2")
    start(tree, "rke2", 3, imports=False)
    assert tree.snapshot() == before


def test_what_others_added_to_the_template_stays(tree: Tree) -> None:
    start(tree, "k3s", 3, imports=False)
    tree.run("install", "k3s")
    template = tree.path(f"{folder('k3s')}/{TEMPLATES[3]}")
    template.write_text(template.read_text() + OWN)
    tree.run("uninstall", "k3s")
    assert "seclatch" not in template.read_text() and OWN in template.read_text()


def test_refusals(tree: Tree) -> None:
    with pytest.raises(SeclatchError, match="k3s has not run here"):
        tree.run("install", "k3s")
    start(tree, "k3s", 3, imports=False)
    with pytest.raises(SeclatchError, match="its own option says that"):
        tree.run("install", "k3s", "--default")
    other = f"[plugins.'{PLUGIN[3]}'.containerd.runtimes.seclatch]\nruntime_type = 'x'\n"
    tree.write(f"{folder('k3s')}/{TEMPLATES[3]}", BASE + other)
    with pytest.raises(InputError, match="did not register"):  # not rendered yet
        tree.run("install", "k3s")
    start(tree, "k3s", 3, imports=False)
    with pytest.raises(InputError, match="did not register"):
        tree.run("install", "k3s")
    for content, problem in ((b"version = 1\n", "neither 2 nor 3"), (b"\xff", "is not UTF-8")):
        tree.write(f"{folder('k3s')}/config.toml", content)
        with pytest.raises(InputError, match=problem):
            tree.run("install", "k3s")
