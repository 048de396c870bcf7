"""Result files: written whole, devices written to, links followed unless they are planted."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from seclatch.diagnose import write_explanation as explanation
from seclatch.errors import SeclatchError
from seclatch.output import result_file
from seclatch.recording.files import recording_file

Write = Callable[[Path, bytes], None]
WRITERS: list[Write] = [
    result_file.replace_file,
    recording_file.replace_recording,
    explanation.write_explanation,
]


@pytest.mark.parametrize("write", WRITERS)
def test_devices_and_pipes_are_written_to_and_kept(tmp_path: Path, write: Write) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(pipe, b"words")
    assert os.read(reading, 100) == b"words"
    os.close(reading)
    assert pipe.is_fifo()
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.root
@pytest.mark.parametrize("write", [recording_file.replace_recording, explanation.write_explanation])
def test_a_full_device_is_an_error_and_is_kept(tmp_path: Path, write: Write) -> None:
    """`-o /dev/full`, as root: a rename would replace the device for the whole host."""
    device = tmp_path / "full"
    os.mknod(device, 0o20666, os.makedev(1, 7))
    with pytest.raises(SeclatchError, match="No space left"):
        write(device, b"words")
    assert device.is_char_device()


@pytest.mark.parametrize("write", WRITERS)
def test_a_link_is_kept_and_its_target_replaced(tmp_path: Path, write: Write) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to("target")
    write(link, b"new")
    assert (link.is_symlink(), target.read_bytes()) == (True, b"new")


@pytest.mark.root
@pytest.mark.parametrize("write", WRITERS)
def test_a_planted_link_is_not_followed(tmp_path: Path, write: Write) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to("target")
    os.lchown(link, 65534, 65534)
    with pytest.raises((SeclatchError, PermissionError), match="another user"):
        write(link, b"new")
    assert target.read_text() == "old"


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    secret, new = tmp_path / "secret", tmp_path / "new"
    secret.write_text("old")
    secret.chmod(0o600)
    result_file.replace_file(secret, b"words")
    result_file.replace_file(new, b"words")
    assert (secret.read_bytes(), secret.stat().st_mode & 0o777) == (b"words", 0o600)
    umask = os.umask(0)
    os.umask(umask)
    assert new.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_an_open_file_is_written_to(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A pipe has no path that a rename could replace; `>> FILE` must keep the earlier content."""
    result_file.replace_file(Path(name), b"words")
    assert capfd.readouterr().out == "words"


@pytest.mark.root
def test_a_planted_file_is_replaced_by_one_of_ours(tmp_path: Path) -> None:
    """Otherwise its owner could change the new content."""
    tmp_path.chmod(0o1777)
    planted = tmp_path / "planted"
    planted.write_text("old")
    planted.chmod(0o666)
    os.chown(planted, 65534, 65534)
    result_file.replace_file(planted, b"words")
    assert (planted.read_bytes(), planted.stat().st_uid) == (b"words", 0)
    os.chown(planted, 65534, 65534)
    tmp_path.chmod(0o755)
    result_file.replace_file(planted, b"words")
    assert planted.stat().st_uid == 65534


@pytest.mark.root
def test_a_file_whose_owner_has_no_id_in_the_user_namespace(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("old")
    os.chown(old, 1234, 1234)
    script = (
        "from pathlib import Path; import sys; from seclatch.output import result_file as file;"
        "file.replace_file(Path(sys.argv[1]), b'words')"
    )
    done = subprocess.run(
        ["unshare", "-Ur", sys.executable, "-c", script, old],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip("no user namespaces here")
    assert (done.stderr, old.read_bytes()) == ("", b"words")


@pytest.mark.parametrize(
    ("name", "stream"),
    [("-", True), ("/dev/fd/1", True), ("/dev/null", True), ("new", False), ("old", False)],
)
def test_streams_are_appended_to(name: str, stream: bool, tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    path = tmp_path / name if name.isalpha() else Path(name)
    assert result_file.is_stream(path) == stream


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("new", ""),
        ("-", ""),
        ("/dev/null", ""),
        ("/dev/fd/987654321", "no such open file"),
        ("/dev/fd/99999999999999999999", "no such open file"),
        ("nowhere/new", "no such directory"),
        (".", "it is a directory"),
        ("dangling", "nowhere/new, and there is no such directory"),
    ],
)
def test_obstacles_are_found_before_writing(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere/new")
    found = result_file.find_obstacle(Path(name) if name == "-" else tmp_path / name)
    assert why in found if why else not found


def test_a_file_open_for_reading(tmp_path: Path) -> None:
    with (tmp_path / "old").open("w") as writing, Path(writing.name).open() as reading:
        assert not result_file.find_obstacle(Path(f"/dev/fd/{writing.fileno()}"))
        assert "for reading only" in result_file.find_obstacle(
            Path(f"/proc/self/fd/{reading.fileno()}")
        )


@pytest.mark.root
def test_a_file_of_another_user_in_a_sticky_directory() -> None:
    with tempfile.TemporaryDirectory(prefix="seclatch-test-") as name:
        shared = Path(name)
        shared.chmod(0o1777)
        other, own = shared / "other", shared / "own"
        other.touch()
        own.touch()
        os.chown(own, 65534, 65534)
        os.seteuid(65534)
        try:
            found = result_file.find_obstacle(other), result_file.find_obstacle(own)
            with pytest.raises(OSError, match="not permitted"):
                result_file.replace_file(other, b"words")
        finally:
            os.seteuid(0)
    assert found == ("it is another user's, in a directory for all", "")


@pytest.mark.root
@pytest.mark.parametrize(
    ("attribute", "name"), [("i", "old"), ("a", "old"), ("a", "."), ("i", ".")]
)
def test_immutable_and_append_only_files(attribute: str, name: str, tmp_path: Path) -> None:
    place = tmp_path / "folder"
    place.mkdir()
    old = place / "old"
    old.write_text("old")
    if subprocess.run(["chattr", f"+{attribute}", place / name], check=False).returncode:
        pytest.skip("a file system without attributes")
    try:
        found = result_file.find_obstacle(old)
        with pytest.raises(OSError, match="not permitted"):
            result_file.replace_file(old, b"words")
    finally:
        subprocess.run(["chattr", f"-{attribute}", place / name], check=True)
    assert "immutable or append-only" in found or "no permission" in found


@pytest.mark.root
def test_a_read_only_file_system(tmp_path: Path) -> None:
    asked = (
        "import sys; from pathlib import Path; from seclatch.output import result_file; "
        "print(result_file.find_obstacle(Path(sys.argv[1])))"
    )
    script = 'mount -t tmpfs -o ro tmpfs "$1" && exec "$2" -c "$3" "$1/new"'
    found = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", tmp_path, sys.executable, asked],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert found == "the file system is read-only\n"
