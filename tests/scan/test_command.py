"""`seclatch scan` as a user runs it: directories, images, errors."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from seclatch.model.recording.recording import ProcessImage, RecordedProcess
from seclatch.recording.files.recording_file import write_recording
from seclatch.scan import scan_document
from tests.unit.recordings import calls, recording

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the directory of a cache that these tests share: most scan the same busybox."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(cache_home: Path) -> Any:
    """Run the command with the cache of these tests, or with a given one."""

    def scan(*words: str | os.PathLike[str], cache: Path = cache_home, **more: Any) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "seclatch", "scan", *map(os.fspath, words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "XDG_CACHE_HOME": str(cache)},
            **more,
        )

    return scan


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """Make a root directory with busybox, and a script that starts it."""
    root = tmp_path / "rootfs"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (root / "bin" / "busybox").chmod(0o755)
    (root / "bin" / "sh").symlink_to("busybox")
    (root / "start").write_text('#!/bin/sh\nexec "$@"\n')
    (root / "start").chmod(0o755)
    return root


def layer(root: Path) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        archive.add(root, arcname=".")
    return data.getvalue()


CONFIG: dict[str, Any] = {
    "architecture": "amd64",
    "os": "linux",
    "config": {"Entrypoint": ["/start"], "Cmd": ["/bin/busybox", "true"], "Env": ["PATH=/bin"]},
}


def oci_layout(root: Path, place: Path) -> Path:
    blobs = place / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(content: bytes) -> dict[str, Any]:
        digest = sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    manifest = blob(
        json.dumps(
            {
                "schemaVersion": 2,
                "config": blob(json.dumps(CONFIG).encode()),
                "layers": [blob(layer(root))],
            }
        ).encode()
    )
    index = {"schemaVersion": 2, "manifests": [manifest | {"platform": {"architecture": "amd64"}}]}
    (place / "index.json").write_text(json.dumps(index))
    (place / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return place


def docker_archive(root: Path, path: Path, config: dict[str, Any] = CONFIG, **changes: Any) -> Path:
    manifest = {"Config": "abc.json", "Layers": ["1/layer.tar"]} | changes
    files = {
        "manifest.json": json.dumps([manifest]).encode(),
        "abc.json": json.dumps(config).encode(),
        "1/layer.tar": layer(root),
    }
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_a_directory_with_an_entry_point(run: Any, rootfs: Path, tmp_path: Path) -> None:
    output = tmp_path / "scan.json"
    done = run("--entrypoint", "/bin/busybox", "-o", output, rootfs)
    assert done.returncode == 0, done.stderr
    assert "/bin/busybox" in done.stdout and "system calls" in done.stdout
    jsonschema.validate(
        json.loads(output.read_text()), json.loads(scan_document.published_schema())
    )
    assert {"execve", "read", "mount"} <= scan_document.read_scan(output).names


@pytest.mark.parametrize("kind", ["oci", "archive", "oci-archive"])
def test_an_image_is_scanned_by_its_command(
    run: Any, rootfs: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "archive":
        image = docker_archive(rootfs, tmp_path / "image.tar")
    else:
        image = oci_layout(rootfs, tmp_path / "layout")
        if kind == "oci-archive":
            with tarfile.open(tmp_path / "layout.tar", "w") as archive:
                archive.add(image, arcname=".")
            image = tmp_path / "layout.tar"
    done = run("--json", image)
    assert done.returncode == 0, done.stderr
    (program,) = json.loads(done.stdout)["programs"]
    assert program["path"] == "/bin/busybox" and program["because"] == "interpreter of /start"
    assert json.loads(done.stdout)["digest"].startswith("sha256:")


def test_why_shows_the_chain(run: Any, rootfs: Path) -> None:
    done = run("--entrypoint", "/bin/sh", "--why", "execve", rootfs)
    assert done.returncode == 0 and " → " in done.stdout
    done = run("--entrypoint", "/bin/sh", "--why", "nosuchcall", rootfs)
    assert done.returncode == 2 and "there is no system call 'nosuchcall'" in done.stderr
    done = run("--arch", "aarch64", rootfs)
    assert done.returncode == 2 and "--arch chooses one of an image" in done.stderr


def test_a_second_scan_is_answered_from_the_cache(run: Any, rootfs: Path, tmp_path: Path) -> None:
    words = ("--json", "--entrypoint", "/bin/sh", rootfs)
    first = run(*words, cache=tmp_path).stdout
    (summary,) = (tmp_path / "seclatch" / "scan").iterdir()
    assert run(*words, cache=tmp_path).stdout == first
    assert run(*words, "--no-cache", cache=tmp_path).stdout == first
    assert summary.exists()


def test_all_executables_are_scanned(run: Any, rootfs: Path) -> None:
    (rootfs / "bin" / "broken").write_bytes(b"\x7fELF\x02\x01 nonsense")
    (rootfs / "bin" / "broken").chmod(0o755)
    done = run("--all", "--json", rootfs)
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert [each["path"] for each in found["programs"]] == ["/bin/busybox"]
    assert "broken" in found["skipped"][0] and "skipped" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--entrypoint", "/bin/none"], "/bin/none"),
        ([], "--entrypoint"),
        (["--entrypoint", "/etc/hostile\x1b[31m"], "\\x1b"),
    ],
)
def test_nothing_to_scan_prints_what_to_do(
    run: Any, rootfs: Path, words: list[str], message: str
) -> None:
    done = run(*words, rootfs)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    "content", [b"", b"no archive", b"\x1f\x8b\x08 cut", b"\0" * 10240], ids=range(4)
)
def test_an_invalid_image_is_an_error(run: Any, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "image.tar").write_bytes(content)
    done = run(tmp_path / "image.tar")
    assert done.returncode == 2 and "image.tar" in done.stderr and "Traceback" not in done.stderr


def test_a_name_unknown_to_every_engine_is_an_error(run: Any) -> None:
    done = run("no/such-image:1")
    assert done.returncode == 2 and "no/such-image" in done.stderr


def test_a_full_disk_is_an_error(run: Any, rootfs: Path) -> None:
    done = run("--entrypoint", "/bin/sh", "-o", "/dev/full", rootfs)
    assert done.returncode and "/dev/full" in done.stderr and "Traceback" not in done.stderr


def test_nothing_of_the_image_is_executed(run: Any, rootfs: Path, tmp_path: Path) -> None:
    (rootfs / "start").write_text(f"#!/bin/sh\ntouch {tmp_path}/executed\n")
    run("--entrypoint", "/start", rootfs)
    assert not (tmp_path / "executed").exists()


def test_the_oldest_kernel_is_printed_and_stored(run: Any, rootfs: Path) -> None:
    for given, kept in (("3.10.0-1160.el7", "3.10"), ("6.12", "6.12")):
        done = run("--json", "--entrypoint", "/bin/sh", "--kernel", given, rootfs)
        assert json.loads(done.stdout)["kernel"] == kept
    assert json.loads(run("--json", "--entrypoint", "/bin/sh", rootfs).stdout)["kernel"] == "4.18"
    done = run("--entrypoint", "/bin/sh", "--kernel", "new", rootfs)
    assert done.returncode == 2
    assert "'new' is not a kernel version such as 6.12" in done.stderr


def test_two_scans_are_equal(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shown chain, of several equally short ones, does not depend on the order of sets."""
    result = []
    for seed in ("0", "1"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        result.append(run("/", "--entrypoint", "/usr/bin/apt", "--json", "--no-cache").stdout)
    assert result[0] == result[1]
    assert json.loads(result[0])["programs"]


@pytest.mark.parametrize("layers", [5, {"a": 1}, "name"])
def test_invalid_layers(run: Any, rootfs: Path, tmp_path: Path, layers: Any) -> None:
    done = run(docker_archive(rootfs, tmp_path / "image.tar", Layers=layers))
    assert done.returncode == 2 and "Layers is no list of names" in done.stderr


def test_names_that_are_no_utf_8(run: Any, rootfs: Path, tmp_path: Path) -> None:
    """The name of a file, and that of a library in it: reported, without losing anything else."""
    strange = os.fsencode(rootfs) + b"/bin/odd\xff"
    Path(os.fsdecode(strange)).write_bytes(Path("/bin/busybox").read_bytes())
    Path(os.fsdecode(strange)).chmod(0o755)
    needing = Path("/bin/true").read_bytes().replace(b"libc.so.6\0", b"\xffibc.so.6\0")
    (rootfs / "bin" / "needing").write_bytes(needing)
    (rootfs / "bin" / "needing").chmod(0o755)
    done = run("--all", "--json", rootfs)
    assert done.returncode == 0, done.stderr
    found = {each["path"]: each for each in json.loads(done.stdout)["programs"]}
    assert set(found) == {"/bin/busybox", "/bin/odd\\udcff", "/bin/needing"}
    assert "\\xffibc.so.6" in found["/bin/needing"]["missing"]


def test_a_command_with_an_impossible_file_name(run: Any, rootfs: Path, tmp_path: Path) -> None:
    image = docker_archive(rootfs, tmp_path / "image.tar")
    image.write_bytes(image.read_bytes().replace(b'"/bin/busybox"', b'"/bin/\\ud800b"'))
    done = run("--json", image)
    assert "internal error" not in done.stderr and "Traceback" not in done.stderr


def test_what_was_executed_is_an_entry_point(run: Any, rootfs: Path, tmp_path: Path) -> None:
    """A script that no scan can read executes a program that the recording shows."""
    (rootfs / "bin" / "second").write_bytes((rootfs / "bin" / "busybox").read_bytes())
    (rootfs / "bin" / "second").chmod(0o755)
    image = ProcessImage(time=1.0, stage="program", exe="/bin/second", argv=["second", "x"])
    shown = recording(
        calls("program", "read"),
        processes=[
            RecordedProcess(
                id=0,
                pid=1,
                parent=None,
                session=None,
                began=0.0,
                ended=None,
                status=None,
                found_running=False,
                images=[image],
            )
        ],
    )
    write_recording(tmp_path / "app.json", shown)
    done = run("--recording", tmp_path / "app.json", "--json", rootfs)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    [program] = found["programs"]
    assert (program["path"], program["because"]) == ("/bin/second", "executed while recording")
    assert found["followed"] == ["/bin/second"]


@pytest.mark.parametrize(
    ("check", "because"),
    [
        (["CMD", "/bin/second", "-x"], "the image's health check"),
        (["CMD-SHELL", "second || exit 1"], "named in the command"),
    ],
)
def test_the_image_s_health_check_counts(
    run: Any, rootfs: Path, tmp_path: Path, check: list[str], because: str
) -> None:
    (rootfs / "bin" / "second").write_bytes((rootfs / "bin" / "busybox").read_bytes() + b"\0")
    (rootfs / "bin" / "second").chmod(0o755)
    config = CONFIG | {"config": {**CONFIG["config"], "Healthcheck": {"Test": check}}}
    image = docker_archive(rootfs, tmp_path / "image.tar", config=config)
    done = run("--json", image)
    assert done.returncode == 0, done.stderr
    programs = {row["path"]: row["because"] for row in json.loads(done.stdout)["programs"]}
    assert programs["/bin/second"] == because


def test_a_container_s_health_check_counts(run: Any, rootfs: Path) -> None:
    (rootfs / "bin" / "second").write_bytes((rootfs / "bin" / "busybox").read_bytes() + b"\0")
    (rootfs / "bin" / "second").chmod(0o755)
    done = run("--json", "--entrypoint", "/bin/busybox", "--health-cmd", "second -q", rootfs)
    assert done.returncode == 0, done.stderr
    assert "/bin/second" in {row["path"] for row in json.loads(done.stdout)["programs"]}
