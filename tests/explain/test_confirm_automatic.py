"""`seclatch explain` runs a command again by itself where that leaves and reaches nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bench.corpus import split_environment
from tests.explain.conftest import SCHEMA, SECLATCH
from tests.explain.corpus import denying
from tests.explain.test_confirm import list_ends, list_sleepers
from tests.latch.oci import Bundle, Runtime, wait_until

pytestmark = pytest.mark.root
Make = Callable[..., Bundle]
CRUN, RUNC = (Runtime(name, latched=False) for name in ("crun", "runc"))
DECIDED = [([], "same"), (["mkdir"], "succeeded"), ([], "same")]
# One run leaves both of these open: what they say last has nothing to do with mkdir.
STOPS = "mkdir /made && exit 0; echo something else; exit 7"
STOPS_IN_TMP = STOPS.replace("/made", "/tmp/made")
GOES_ON = "mkdir /made; echo something else; exit 7"
CLAIMS = "mkdir /made 2>/dev/null; echo 'mkdir: /made: Operation not permitted' >&2; exit 1"


def explain_command(runtime: Runtime, made: Bundle, *options: str) -> list[str]:
    """Return the command line; what makes this host fit for crun comes before `seclatch`."""
    before, words = split_environment(runtime.argv("run", "--bundle", made.path, made.id))
    return [*before, SECLATCH, "explain", *options, "--", *words]


def explain(runtime: Runtime, made: Bundle, tmp_path: Path, *options: str) -> tuple[Any, str]:
    """Return the explanation of a bundle, and what stderr had besides."""
    file = tmp_path / "why.json"
    done = subprocess.run(
        explain_command(runtime, made, "--json", "-o", str(file), *options),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    document = json.loads(file.read_text())
    jsonschema.validate(document, SCHEMA)
    assert document["status"] == done.returncode
    return document, done.stderr


@pytest.fixture
def writable(bundle: Make, tmp_path: Path) -> Callable[[str], Bundle]:
    """Provide writable(SCRIPT): a bundle with a root of its own, where mkdir alone is denied."""

    def make(script: str) -> Bundle:
        made = bundle(["/bin/sh", "-c", script], seccomp=denying("mkdir"))
        root = tmp_path / "root"
        subprocess.run(["cp", "-a", made.config["root"]["path"], root], check=True)
        made.config["root"] = {"path": str(root), "readonly": False}
        made.write()
        return made

    return make


def read_tree(folder: str) -> dict[str, Any]:
    """Return all of a directory that a run could change: what, whose, when, and the content."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (
            status.st_mode,
            status.st_uid,
            status.st_ino,
            status.st_ctime_ns,
            hashlib.sha256(content).hexdigest(),
        )
    return found


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide the directory where further runs have their bundles, of this test alone."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def list_remains(scratch: Path) -> list[str]:
    """Return what further runs have left: a mount, a folder, a container."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    containers = json.loads(RUNC("list", "--format", "json").stdout) or []
    return [
        *(line for line in mounts if str(scratch) in line),
        *map(str, scratch.iterdir()),
        *(each["id"] for each in containers if each["bundle"].startswith(str(scratch))),
    ]


@pytest.mark.parametrize("runtime", [RUNC, CRUN], ids=lambda each: each.name)
def test_a_bundle_is_run_again_below_a_layer(
    writable: Callable[[str], Bundle], tmp_path: Path, scratch: Path, runtime: Runtime
) -> None:
    """Its first run leaves a mark, which no other one finds: they begin as the first one did."""
    made = writable(f"test -e /ran && exit 9; echo > /ran; {STOPS}")
    root = made.config["root"]["path"]
    explain(runtime, made, tmp_path, "--confirm", "never")
    alone = {path.removeprefix(root) for path in read_tree(root)}
    Path(root, "ran").unlink()
    document, said = explain(runtime, made, tmp_path)
    assert list_ends(document) == DECIDED, document["confirmation"]
    assert (document["seccomp"], document["confirmation"]["calls"]) == (True, ["mkdir"])
    assert "running the command again, also with mkdir allowed" in said
    assert "--confirm never" in said
    # /ran is the first run's; /made, which a further one could make, is not there.
    assert {path.removeprefix(root) for path in read_tree(root)} == alone
    assert "/ran" in alone
    assert "/made" not in alone
    assert list_remains(scratch) == []


def test_a_bundle_with_users_of_its_own(
    writable: Callable[[str], Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its root user is another user here, for whom the way to the layer must be open."""
    made = writable(STOPS)
    with tempfile.TemporaryDirectory(prefix="seclatch-users-") as name:
        place = Path(name)
        place.chmod(0o755)
        monkeypatch.setenv("TMPDIR", name)
        root = place / "root"
        Path(made.config["root"]["path"]).rename(root)
        subprocess.run(["chown", "-R", "100000:100000", root], check=True)
        made.config["root"]["path"] = str(root)
        made.config["linux"]["namespaces"].append({"type": "user"})
        for kind in ("uidMappings", "gidMappings"):
            made.config["linux"][kind] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        made.write()
        document, _ = explain(RUNC, made, tmp_path)
        assert list_ends(document) == DECIDED, document["confirmation"]
        assert [each.name for each in place.iterdir()] == ["root"]


def test_the_root_is_as_the_first_run_left_it(
    writable: Callable[[str], Bundle], tmp_path: Path
) -> None:
    """What it says last is read as mkdir's failure; with mkdir allowed it fails the same way."""
    made = writable(f"echo >> /state; {CLAIMS}")
    root = made.config["root"]["path"]
    Path(root, "state").write_text("x\n")
    document, _ = explain(RUNC, made, tmp_path, "--confirm", "never")
    assert (document["seccomp"], document["cause"]) == (True, "program-denied")
    once = len(Path(root, "state").read_text())
    before = read_tree(root)
    document, _ = explain(RUNC, made, tmp_path)
    after = read_tree(root)
    assert list_ends(document) == [([], "same"), (["mkdir"], "same")]
    assert len(Path(root, "state").read_text()) == once + 1  # of its first run alone
    assert {path: seen for path, seen in after.items() if not path.endswith("/state")} == {
        path: seen for path, seen in before.items() if not path.endswith("/state")
    }
    # What a file held cannot be brought back: the further runs do not show that it is no denial,
    # but they speak against the answer that it is one.
    assert (document["seccomp"], document["cause"]) == (None, "possibly-denied")
    assert "that had changed state" in document["confirmation"]["reason"]


def test_what_was_made_does_not_keep_it_from_being_decided(
    writable: Callable[[str], Bundle], tmp_path: Path
) -> None:
    document, _ = explain(RUNC, writable(f"echo > /new; {GOES_ON}"), tmp_path)
    assert (document["seccomp"], document["cause"]) == (False, "program-failed"), document


def change_hook(config: dict[str, Any], folder: Path) -> None:
    """Add a hook, which is not dockerd's for having the same first argument."""
    script = f"cat > /dev/null; echo >> {folder}/count"
    hook = {"path": "/bin/sh", "args": ["libnetwork-setkey", "-c", script]}
    config["hooks"] = {"createRuntime": [hook]}


def change_mount(config: dict[str, Any], folder: Path) -> None:
    """Add a volume, which is no engine's own for the digits in its path."""
    volume = folder / "volumes" / ("ab" * 32) / "_data"
    volume.mkdir(parents=True)
    (folder / "count").symlink_to(volume / "count")
    config["mounts"].append(
        {
            "destination": "/shared",
            "source": str(volume),
            "type": "bind",
            "options": ["rbind", "rw"],
        }
    )
    config["process"]["args"][2] = f"echo >> /shared/count; {STOPS_IN_TMP}"


@pytest.mark.parametrize(
    ("change", "reason"),
    [(change_hook, "a hook runs with it"), (change_mount, "it may write to ")],
    ids=["hook", "mount"],
)
def test_what_reaches_further_runs_once(
    bundle: Make, tmp_path: Path, change: Callable[..., None], reason: str
) -> None:
    made = bundle(["/bin/sh", "-c", STOPS_IN_TMP], seccomp=denying("mkdir"))
    change(made.config, tmp_path)
    made.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    made.write()
    document, said = explain(RUNC, made, tmp_path)
    confirmation = document["confirmation"]
    assert (confirmation["runs"], document["cause"]) == ([], "possibly-denied")
    assert confirmation["reason"].startswith(reason)
    assert "again" not in said
    assert (tmp_path / "count").read_text() == "\n"
    assert f"(not done by itself: {reason}" in document["remedies"][0]["text"]
    words = RUNC.argv("run", "--bundle", made.path, made.id)
    assert document["remedies"][0]["command"] == ["seclatch", "explain", "--confirm", "--", *words]
    # When asked, it does.
    document, _ = explain(RUNC, made, tmp_path, "--confirm=always")
    assert (document["seccomp"], list_ends(document)) == (True, DECIDED), document["confirmation"]
    assert (tmp_path / "count").read_text() == "\n" * 5


def test_further_runs_have_no_keyring(
    writable: Callable[[str], Bundle], tmp_path: Path, broken_rootfs: Path
) -> None:
    """With mkdir allowed the program goes on to a call that its profile allows."""
    made = writable("mkdir /made && exec broken keyring; echo something else; exit 7")
    shutil.copy(broken_rootfs / "bin/broken", Path(made.config["root"]["path"], "bin"))
    document, _ = explain(RUNC, made, tmp_path)
    assert list_ends(document) == DECIDED, document["confirmation"]
    document, _ = explain(RUNC, made, tmp_path, "--confirm=always")
    assert (["mkdir"], "other") in list_ends(document), document["confirmation"]
    # The first run makes the call itself: without it the others would not be like it.
    made.config["process"]["args"][2] = "broken keyring; mkdir /made || exit 7"
    made.write()
    document, _ = explain(RUNC, made, tmp_path)
    assert document["confirmation"]["runs"] == []
    reason = "it may leave a key in a keyring of this host (add_key)"
    assert document["confirmation"]["reason"] == reason


def test_a_command_that_was_denied_nothing_is_not_mentioned(bundle: Make, tmp_path: Path) -> None:
    made = bundle(["/bin/cat", "/nowhere"], seccomp=denying("mkdir"))
    document, said = explain(RUNC, made, tmp_path)
    assert (document["confirmation"], "again" in said) == (None, False)


@pytest.fixture
def deep_root(tmp_path: Path, broken_rootfs: Path) -> Iterator[Path]:
    """Provide a root directory below two layers, the most that the kernel stacks (overlayfs)."""
    places = []
    try:
        lower = broken_rootfs
        for name in ("one", "two"):
            place = tmp_path / name
            for each in ("upper", "work", "merged"):
                (place / each).mkdir(parents=True)
            layers = f"lowerdir={lower},upperdir={place}/upper,workdir={place}/work"
            words = ["mount", "-t", "overlay", "-o", layers, "overlay", str(place / "merged")]
            subprocess.run(words, check=True)
            lower = place / "merged"
            places.append(lower)
        yield lower
    finally:
        for place in reversed(places):
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_root_that_takes_no_layer(bundle: Make, tmp_path: Path, deep_root: Path) -> None:
    made = bundle(["/bin/sh", "-c", STOPS], seccomp=denying("mkdir"))
    made.config["root"] = {"path": str(deep_root), "readonly": False}
    made.write()
    document, _ = explain(RUNC, made, tmp_path)
    assert document["confirmation"]["runs"] == []
    reason = f"no temporary layer can be laid over its root directory {deep_root}"
    assert document["confirmation"]["reason"].startswith(reason)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_further_run_and_its_layer(
    writable: Callable[[str], Bundle], tmp_path: Path, scratch: Path, number: signal.Signals
) -> None:
    made = writable("mkdir /made && exec sleep 1234; echo something else; exit 7")
    root = made.config["root"]["path"]
    file = tmp_path / "why.json"
    with subprocess.Popen(
        explain_command(RUNC, made, "--json", "-o", str(file)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        [sleeper] = wait_until(lambda: list_sleepers(running.pid), "the further run's program")
        left = read_tree(root)
        layers = Path(f"/proc/{sleeper}/mountinfo").read_text()
        running.send_signal(number)
        assert running.wait(timeout=60) == 7
    [top] = [line for line in layers.splitlines() if line.split(" ")[4] == "/"]
    assert " - overlay " in top
    document = json.loads(file.read_text())
    assert (document["seccomp"], document["cause"]) == (None, "possibly-denied"), document
    assert document["confirmation"]["reason"] == "it was interrupted"
    assert list_remains(scratch) == []
    assert read_tree(root) == left
    assert not Path(f"/proc/{sleeper}").exists()


def test_a_further_run_ends_when_explain_is_killed(tmp_path: Path, scratch: Path) -> None:
    """`seclatch run` has no engine's client that removes its container: it is asked to end."""
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(denying("mkdir")))
    script = "mkdir /made && exec sleep 1234; echo something else; exit 7"
    words = ["run", "--profile", str(profile), "sh", "-c", script]
    with subprocess.Popen(
        [SECLATCH, "explain", "--", SECLATCH, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        [sleeper] = wait_until(lambda: list_sleepers(running.pid), "the further run's program")
        running.kill()
    wait_until(lambda: not Path(f"/proc/{sleeper}").exists(), "its end")
    wait_until(lambda: list_remains(scratch) == [], "the removal of what it has made")


def test_requests_to_stop_wait_for_what_is_removed_between_runs() -> None:
    program = (
        "import os, signal\n"
        "from seclatch.diagnose.confirm.held_signals import hold_stop_signals\n"
        "with hold_stop_signals() as held:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print(held.take_stop_request(), held.take_stop_request())\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "print('all is removed')"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True True\nall is removed\n"), done.stderr
