"""Installation below --root, for every state of an administrator's configuration."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from seclatch.engines.installation.engine import LatchRegistration
from seclatch.engines.installation.file_change import FileChange
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.installer import make_engine, plan_install
from seclatch.errors import InputError, SeclatchError
from tests.unit.engines.tree import CONFIGS, Tree

ENGINES = list(CONFIGS)
EXISTING = {
    "docker": '{\n    "log-driver": "x",\n    "default-runtime": "k",\n'
    '    "runtimes": {"k": {"path": "/k"}}\n}\n',
    "podman": "# mine\n[containers]\npids_limit = 7\n",
    "containerd": 'version = 2\n# mine\n[plugins."io.containerd.grpc.v1.cri".containerd]\n'
    'default_runtime_name = "k"\n'
    '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.k]\nruntime_type = "k"\n',
    "crio": "# mine\n[crio.runtime]\npids_limit = 7\n",
}
BROKEN = {"docker": '{"a": 1,\n}', "podman": "[engine\n", "containerd": "a = \n", "crio": "[crio\n"}
FOREIGN = {
    "docker": '{"runtimes": {"seclatch": {"path": "/opt/other"}}}',
    "podman": '[engine.runtimes]\nseclatch = ["/opt/other"]\n',
    "containerd": 'version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.seclatch]'
    '\nruntime_type = "x"\n',
    "crio": '[crio.runtime.runtimes.seclatch]\nruntime_path = "/opt/other"\n',
}

every_engine = pytest.mark.parametrize("engine", ENGINES)
both_wishes = pytest.mark.parametrize("words", [[], ["--default"]], ids=["", "default"])


@every_engine
@both_wishes
@pytest.mark.parametrize("state", ["missing", "empty", "existing"])
def test_uninstall_restores_every_byte(
    tree: Tree, engine: str, words: list[str], state: str
) -> None:
    if state != "missing":
        tree.write(CONFIGS[engine], EXISTING[engine] if state == "existing" else "")
    before = tree.snapshot()
    tree.run("install", engine, *words)
    assert tree.snapshot() != before
    tree.run("uninstall", engine)
    assert tree.snapshot() == before
    assert "nothing to do" in tree.run("uninstall", engine)


@every_engine
@both_wishes
def test_second_run_changes_nothing(tree: Tree, engine: str, words: list[str]) -> None:
    tree.write(CONFIGS[engine], EXISTING[engine])
    tree.run("install", engine, *words)
    before = tree.snapshot()
    assert "nothing to do" in tree.run("install", engine, *words)
    assert tree.snapshot() == before


@every_engine
def test_dry_run_prints_the_plan_and_changes_nothing(tree: Tree, engine: str) -> None:
    before = tree.snapshot()
    result = tree.plan("install", engine, "--dry-run")
    assert tree.snapshot() == before
    assert result["steps"]
    assert tree.plan("install", engine)["steps"] == result["steps"]


@every_engine
def test_the_latch_is_placed_under_the_runtime_s_name(tree: Tree, engine: str) -> None:
    tree.run("install", engine, "--runtime", "crun")
    directory = tree.path(f"/usr/local/lib/seclatch/{engine}")
    assert sorted(path.name for path in directory.iterdir()) == ["crun", "crun.runtime"]
    assert (directory / "crun").stat().st_mode & 0o7777 == 0o755
    assert (directory / "crun.runtime").readlink() == Path("/usr/bin/crun")
    record = tree.path(f"/var/lib/seclatch/install/{engine}.json")
    assert record.stat().st_mode & 0o7777 == 0o600


@every_engine
def test_another_runtime_and_mode_replace_the_former(tree: Tree, engine: str) -> None:
    before = tree.snapshot()
    directory = tree.path(f"/usr/local/lib/seclatch/{engine}")
    tree.run("install", engine, "--runtime", "runc", "--mode", "plain")
    assert (directory / "runc.mode").readlink() == Path("plain")
    tree.run("install", engine, "--runtime", "crun")
    assert sorted(path.name for path in directory.iterdir()) == ["crun", "crun.runtime"]
    assert "seclatch/" + engine + "/crun" in tree.path(CONFIGS[engine]).read_text()
    assert "seclatch/" + engine + "/runc" not in tree.path(CONFIGS[engine]).read_text()
    tree.run("uninstall", engine)
    assert tree.snapshot() == before


@every_engine
def test_a_newer_latch_replaces_the_older(tree: Tree, engine: str, tmp_path: Path) -> None:
    tree.run("install", engine, "--runtime", "runc")
    (tmp_path / "scripts/seclatch-runc").write_bytes(b"\x7fELF a newer latch")
    steps = tree.plan("install", engine, "--runtime", "runc")["steps"]
    assert len(steps) == 1
    front = tree.path(f"/usr/local/lib/seclatch/{engine}/runc")
    assert front.read_bytes() == b"\x7fELF a newer latch"


@every_engine
def test_a_broken_file_is_named_and_kept(tree: Tree, engine: str) -> None:
    path = tree.write(CONFIGS[engine], BROKEN[engine])
    before = tree.snapshot()
    with pytest.raises(InputError) as caught:
        tree.run("install", engine)
    assert str(path) in str(caught.value)
    assert "line" in str(caught.value)
    assert tree.snapshot() == before


@every_engine
def test_a_configuration_that_is_not_utf8_is_named(tree: Tree, engine: str) -> None:
    tree.write(CONFIGS[engine], b"{}\n\xff")
    with pytest.raises(InputError, match="byte 3: is not UTF-8"):
        tree.run("install", engine)


@every_engine
def test_another_runtime_of_the_latch_s_name_is_refused(tree: Tree, engine: str) -> None:
    tree.write(CONFIGS[engine], FOREIGN[engine])
    before = tree.snapshot()
    with pytest.raises(InputError, match="that this command did not register"):
        tree.run("install", engine)
    assert tree.snapshot() == before
    assert "nothing to do" in tree.run("uninstall", engine)


@every_engine
@pytest.mark.parametrize("dangling", [False, True])
def test_a_linked_file_is_changed_at_its_target(tree: Tree, engine: str, dangling: bool) -> None:
    target = tree.path("/srv/config")
    target.parent.mkdir()
    if not dangling:
        target.write_text(EXISTING[engine])
    link = tree.path(CONFIGS[engine])
    link.parent.mkdir(parents=True)
    link.symlink_to("/srv/config")
    before = tree.snapshot()
    tree.run("install", engine)
    assert link.readlink() == Path("/srv/config")
    assert "seclatch" in target.read_text()
    tree.run("uninstall", engine)
    assert tree.snapshot() == before


@every_engine
def test_mode_and_owner_are_kept(tree: Tree, engine: str) -> None:
    path = tree.write(CONFIGS[engine], EXISTING[engine])
    path.chmod(0o4610)
    if os.geteuid() == 0:
        os.chown(path, 1234, 4321)
        path.chmod(0o4610)
    before = path.stat()
    tree.run("install", engine)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )


@every_engine
def test_uninstall_keeps_later_changes_and_removes_the_latch(tree: Tree, engine: str) -> None:
    path = tree.write(CONFIGS[engine], EXISTING[engine])
    tree.run("install", engine, "--default")
    added = {"docker": path.read_text().replace('"x"', '"y"')}.get(
        engine, path.read_text() + "\n[other]\nkey = 1\n"
    )
    path.write_text(added)
    tree.run("uninstall", engine)
    wanted = {"docker": EXISTING[engine].replace('"x"', '"y"')}.get(
        engine, EXISTING[engine] + "\n[other]\nkey = 1\n"
    )
    parse = json.loads if engine == "docker" else tomllib.loads
    assert parse(path.read_text()) == parse(wanted)
    assert "seclatch" not in path.read_text()


@pytest.mark.parametrize("engine", ["docker", "containerd"])
def test_a_default_that_was_changed_later_is_kept(tree: Tree, engine: str) -> None:
    path = tree.write(CONFIGS[engine], EXISTING[engine])
    tree.run("install", engine, "--default")
    text = path.read_text()
    path.write_text(
        text.replace('"default-runtime": "seclatch"', '"default-runtime": "z"').replace(
            'default_runtime_name = "seclatch"', 'default_runtime_name = "z"'
        )
    )
    tree.run("uninstall", engine)
    assert '"z"' in path.read_text()
    assert "seclatch" not in path.read_text()


@every_engine
def test_later_edits_are_not_reordered(tree: Tree, engine: str) -> None:
    path = tree.write(CONFIGS[engine], EXISTING[engine])
    tree.run("install", engine, "--default")
    path.write_text(path.read_text().replace('"x"', '"y"') + "\n")
    text = path.read_text()
    tree.run("install", engine, "--default")
    assert path.read_text() == text


@every_engine
def test_uninstall_without_a_record_removes_the_latch(tree: Tree, engine: str) -> None:
    tree.write(CONFIGS[engine], EXISTING[engine])
    tree.run("install", engine)
    tree.path(f"/var/lib/seclatch/install/{engine}.json").unlink()
    assert tree.plan("install", engine, "--dry-run")["steps"]
    tree.run("uninstall", engine)
    assert "seclatch" not in tree.path(CONFIGS[engine]).read_text()
    assert not tree.path("/usr/local/lib/seclatch").exists()


@every_engine
@pytest.mark.parametrize("verb", ["install", "uninstall"])
@pytest.mark.parametrize(
    "content",
    ["", "{", '{"engine": 1}', "[]", '{"unknown": 1}', "of another", "directory", "large"],
)
def test_an_invalid_record_is_refused_with_a_remedy(
    tree: Tree, engine: str, content: str, verb: str
) -> None:
    """The test then runs the remedy as printed; none of seclatch's files is left after it."""
    tree.write(CONFIGS[engine], EXISTING[engine])
    tree.run("install", engine)
    path = tree.path(f"/var/lib/seclatch/install/{engine}.json")
    spoil(path, content)
    with pytest.raises(SeclatchError, match=f"install/{engine}.json") as error:
        tree.run(verb, engine)
    remedy, _, _ = error.value.remedy.partition(", then run the command again")
    subprocess.run(["sh", "-c", remedy], check=True)
    tree.run(verb, engine)
    tree.run("uninstall", engine)
    assert "seclatch" not in tree.path(CONFIGS[engine]).read_text()
    assert not tree.path("/usr/local/lib/seclatch").exists()


def spoil(path: Path, content: str) -> None:
    if content == "of another":
        text = path.read_text()
        path.write_text(text.replace('"engine": "', '"engine": "x'))
        return
    path.unlink()
    if content == "directory":
        path.mkdir()
    elif content == "large":
        with path.open("w") as file:
            file.truncate(17 << 20)
    else:
        path.write_text(content)


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_another_engine_s_bad_record_has_a_remedy_too(tree: Tree, verb: str) -> None:
    tree.run("install", "docker")
    tree.write("/var/lib/seclatch/install/podman.json", "")
    if verb == "uninstall":
        tree.run(verb, "docker")
        return
    with pytest.raises(InputError, match=r"podman\.json") as error:
        tree.run(verb, "docker")
    subprocess.run(["sh", "-c", error.value.remedy.partition(", then")[0]], check=True)
    tree.run(verb, "docker")


def test_engines_share_directories_and_the_last_removes_them(tree: Tree) -> None:
    before = tree.snapshot()
    for engine in ENGINES:
        tree.run("install", engine)
    for engine in ENGINES:
        tree.run("uninstall", engine)
    assert tree.snapshot() == before


@every_engine
@pytest.mark.parametrize("index", range(7))
def test_a_failure_at_any_write_rolls_back(
    tree: Tree, engine: str, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.write(CONFIGS[engine], EXISTING[engine])
    before = tree.snapshot()
    calls = iter(range(100))
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if next(calls) == index:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    try:
        tree.run("install", engine, "--mode", "plain")
    except SeclatchError as error:
        assert "No space left on device" in str(error)
        assert tree.snapshot() == before
    else:
        assert index >= 5  # record, latch, two links, configuration


@every_engine
def test_a_crash_between_any_two_steps_can_be_uninstalled(
    tree: Tree, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGKILL: no rollback ran, and the next command is uninstall."""
    tree.write(CONFIGS[engine], EXISTING[engine])
    before = tree.snapshot()
    monkeypatch.setattr("seclatch.engines.installation.file_change.roll_back", lambda _done: [])
    count = len(tree.plan("install", engine, "--dry-run")["steps"])
    assert count > 5
    for stop in range(count):
        crash_after(tree, engine, stop)
        tree.run("uninstall", engine)
        left = {path: what for path, what in tree.snapshot().items() if what[2]}
        assert left == {path: what for path, what in before.items() if what[2]}


def crash_after(tree: Tree, engine: str, stop: int) -> None:
    root = HostRoot(tree.top)
    for step in plan_install(
        make_engine(engine, root), root, LatchRegistration(engine, "runc")
    ).steps[:stop]:
        step.apply()


@every_engine
def test_a_missing_runtime_is_named_before_any_write(tree: Tree, engine: str) -> None:
    tree.path("/usr/bin/crun").unlink()
    before = tree.snapshot()
    with pytest.raises(SeclatchError, match="looking for the runtime crun") as caught:
        tree.run("install", engine, "--runtime", "crun")
    assert "--runtime" in caught.value.remedy
    assert tree.snapshot() == before


def test_podman_uses_crun_and_falls_back_to_runc(tree: Tree) -> None:
    assert str(tree.plan("install", "podman", "--dry-run")["front"]).endswith("/podman/crun")
    tree.path("/usr/bin/crun").unlink()
    assert str(tree.plan("install", "podman", "--dry-run")["front"]).endswith("/podman/runc")
    assert str(tree.plan("install", "docker", "--dry-run")["front"]).endswith("/docker/runc")


def test_a_path_that_others_can_change_is_refused(tree: Tree) -> None:
    place = tree.path("/usr/local/lib")
    place.mkdir(parents=True)
    place.chmod(0o777)
    with pytest.raises(SeclatchError, match="can be changed by others than root"):
        tree.run("install", "docker")


def test_a_file_in_place_of_the_latch_s_link_is_kept(tree: Tree) -> None:
    tree.write("/usr/local/lib/seclatch/docker/runc.runtime", "not a link")
    with pytest.raises(SeclatchError, match="not a symbolic link"):
        tree.run("install", "docker")


def test_podman_keeps_lists_that_other_files_set(tree: Tree) -> None:
    tree.write(
        "/etc/containers/containers.conf", '[engine]\nruntime_supports_nocgroup = ["mine"]\n'
    )
    tree.write(
        "/etc/containers/containers.conf.d/10-more.conf",
        '[engine]\nruntime_supports_nocgroup = ["more", {append=true}]\n',
    )
    tree.run("install", "podman", "--runtime", "crun")
    engine = tomllib.loads(tree.path(CONFIGS["podman"]).read_text())["engine"]
    assert engine["runtime_supports_nocgroup"] == ["mine", "more", "seclatch"]
    assert engine["runtime_supports_json"][-1] == "seclatch"


def test_crio_takes_over_the_settings_of_the_handler_beside(tree: Tree) -> None:
    tree.write(
        "/etc/crio/crio.conf",
        '[crio.runtime.runtimes.crun]\nruntime_path = "/usr/bin/crun"\nmonitor_cgroup = "a"\n',
    )
    tree.write(
        "/etc/crio/crio.conf.d/10-crio.conf",
        '[crio.runtime.runtimes.crun]\nruntime_path = "/usr/libexec/crio/crun"\n'
        'runtime_root = "/run/crun"\nallowed_annotations = ["io.containers.trace-syscall"]\n',
    )
    late = tree.write(
        "/etc/crio/crio.conf.d/99-kata.conf",
        '[crio.runtime]\ndefault_runtime = "kata"\n'
        '[crio.runtime.runtimes.kata]\nruntime_type = "vm"\n',
    )
    before = tree.snapshot()
    notes = tree.plan("install", "crio", "--default")["notes"]
    assert any(f"{late} is read after ours" in note for note in notes)
    runtime = tomllib.loads(tree.path(CONFIGS["crio"]).read_text())["crio"]["runtime"]
    assert runtime == {
        "default_runtime": "seclatch",
        "runtimes": {
            "seclatch": {
                "runtime_path": "/usr/local/lib/seclatch/crio/crun",
                "runtime_type": "oci",
                "runtime_root": "/run/crun",
                "allowed_annotations": ["io.containers.trace-syscall"],
            }
        },
    }
    for _ in range(3):
        tree.run("uninstall", "crio")
        assert tree.snapshot() == before
        tree.run("install", "crio")


def test_crio_s_other_files_are_checked(tree: Tree) -> None:
    other = tree.write("/etc/crio/crio.conf.d/99-x.conf", FOREIGN["crio"])
    with pytest.raises(InputError, match="did not register") as caught:
        tree.run("install", "crio")
    assert caught.value.source == str(other)
    other.write_bytes(b"\xff")
    with pytest.raises(InputError, match="byte 0: is not UTF-8"):
        tree.run("install", "crio")


def test_podman_s_other_files_are_checked(tree: Tree) -> None:
    other = tree.write("/etc/containers/containers.conf", FOREIGN["podman"])
    with pytest.raises(InputError, match="did not register") as caught:
        tree.run("install", "podman")
    assert caught.value.source == str(other)
    other.write_text(BROKEN["podman"])
    with pytest.raises(InputError, match="not TOML") as caught:
        tree.run("install", "podman")
    assert caught.value.source == str(other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 1\n", "configuration version 1"),
        ("[plugins]\n", "configuration version 1"),
        ("version = true\n", "configuration version True"),
        ('version = "2"\n', "configuration version 2"),
    ],
)
def test_containerd_versions_that_cannot_be_changed_are_refused(
    tree: Tree, text: str, message: str
) -> None:
    tree.write(CONFIGS["containerd"], text)
    with pytest.raises(InputError, match=message):
        tree.run("install", "containerd")


@pytest.mark.parametrize(
    ("text", "place"),
    [('{"runtimes": []}', "runtimes"), ('{"default-runtime": 1}', "default-runtime")],
)
def test_docker_values_of_a_wrong_type_are_refused(tree: Tree, text: str, place: str) -> None:
    tree.write(CONFIGS["docker"], text)
    with pytest.raises(InputError) as caught:
        tree.run("install", "docker")
    assert caught.value.place == place


def test_a_change_between_plan_and_write_is_noticed(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tree.write(CONFIGS["docker"], "{}")
    apply = FileChange.apply

    def late(self: FileChange) -> None:
        if self.path == path:
            path.write_text('{"debug": true}')
        apply(self)

    monkeypatch.setattr(FileChange, "apply", late)
    with pytest.raises(SeclatchError, match="another process changed it"):
        tree.run("install", "docker")
    assert path.read_text() == '{"debug": true}'
    assert not tree.path("/usr/local").exists()
