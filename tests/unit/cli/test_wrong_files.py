"""A file of another kind than wanted is refused: which file, where, and what it is instead."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from seclatch.cli.main import cli
from seclatch.cli.scan import _list_other_images
from seclatch.errors import SeclatchError
from seclatch.model.recording.origin import ContainerImage
from seclatch.model.scan import CallChain, Scan, ScannedProgram
from seclatch.recording.files.recording_file import read_sums
from seclatch.scan.scan_document import encode_scan
from tests.unit.recordings import calls, recording

SCAN = Scan(
    "app:2",
    (ScannedProgram("/bin/app", "x86_64", "", (), (CallChain("read", 0, ()),), arguments=()),),
    digest="sha256:" + "2" * 64,
)
ARM_SCAN = msgspec.structs.replace(
    SCAN, programs=(msgspec.structs.replace(SCAN.programs[0], arch="aarch64"),)
)
RECORDING = recording(calls("program", "read"))
HOST = msgspec.structs.replace(RECORDING.hosts[0], arch="aarch64")
ARM = recording(
    [msgspec.structs.replace(call, arch="aarch64") for call in RECORDING.calls], hosts=[HOST]
)
OTHER = recording(
    calls("program", "read"), images=[ContainerImage(name="app:1", id="sha256:" + "1" * 64)]
)
GOOD = msgspec.json.encode(RECORDING)
PROFILE = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}
FILES = {
    "recording": GOOD,
    "scan": encode_scan(SCAN),
    "profile": json.dumps(PROFILE).encode(),
    "packed": gzip.compress(GOOD),
    "cut": GOOD[: len(GOOD) // 2],
    "cut.gz": gzip.compress(GOOD)[:-20],
    "empty": b"",
    "array": b"[]",
    "null": b"null",
    "text": b"hello\n",
    "bytes": bytes(range(256)),
    "future": GOOD.replace(b'"schema":1', b'"schema":99'),
    "reasons": b'{"schema": "seclatch.generate/1", "allowed": []}',
    "arm": msgspec.json.encode(ARM),
    "arm-scan": encode_scan(ARM_SCAN),
    "other": msgspec.json.encode(OTHER),
}
# @: the wrong file. By the kind that the place wants.
PLACES = {
    "recording": (
        "generate @",
        "generate recording @",
        "profile fit profile --recording @",
        "scan --recording @ root",
        "report @ --text",
        "show @",
        "record merge recording @ -o merged",
    ),
    "scan": (
        "generate recording --scan @",
        "profile fit profile --scan @",
        "profile fit profile --scan scan --before @",
        "report recording --text --scan @",
    ),
    "profile": (
        "generate recording --base @",
        "profile merge @ profile",
        "profile merge profile @",
        "profile diff @ profile",
        "profile diff profile @",
        "profile score @",
        "profile fit @ --recording recording",
        "report recording --text --profile @",
    ),
}
SAYS = {
    "recording": "but a recording",
    "scan": "but a scan",
    "profile": "but a profile",
    "reasons": "but output of seclatch (seclatch.generate/1)",
    "directory": "Is a directory",
    "missing": "No such file",
    "packed": "byte 0: compressed (gzip)",
}
NOT_OF_KIND = ("cut", "cut.gz", "empty", "array", "null", "text", "bytes", "reasons")


def list_cases() -> Iterator[tuple[str, str, str]]:
    for wanted, commands in PLACES.items():
        kinds = [*{"recording", "scan", "profile"} - {wanted}, *NOT_OF_KIND]
        for kind in (*sorted(kinds), "directory", "missing"):
            yield from ((kind, command, SAYS.get(kind, "")) for command in commands)
        if wanted != "recording":
            yield from (("packed", command, SAYS["packed"]) for command in commands)
        else:
            yield from (("future", command, "schema: version 99") for command in commands)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "directory").mkdir()
    (tmp_path / "root").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str, kind: str) -> tuple[Result, str]:
    """Run in this process; return the result, and the error as main prints it."""
    done = CliRunner().invoke(cli, [kind if word == "@" else word for word in command.split()])
    return done, str(done.exception) if isinstance(done.exception, SeclatchError) else ""


@pytest.mark.parametrize(
    "command", [command for commands in PLACES.values() for command in commands]
)
def test_each_wrong_file_is_named_with_what_it_is(command: str, folder: Path) -> None:
    """All kinds of wrong files at one place: fixtures and imports cost more than the command."""
    cases = [(kind, says) for kind, of, says in list_cases() if of == command]
    assert len(cases) > 10
    before = sorted(path.name for path in folder.iterdir())
    for kind, says in cases:
        done, error = run(command, kind)
        assert done.exit_code and not done.stdout, (kind, done.stdout)
        assert error.startswith(f"{kind}: "), (kind, error, done.exception)
        assert says in error, (kind, error)
    assert sorted(path.name for path in folder.iterdir()) == before, "something was half-written"


@pytest.mark.parametrize(
    ("command", "both"),
    [
        ("generate recording @", "recording on x86_64, arm on aarch64"),
        ("generate @ --scan scan", "scan of x86_64, arm of aarch64"),
        ("report @ --text --scan scan", "scan of x86_64, arm of aarch64"),
        ("profile fit profile --arch x86_64 --recording @", "arm on aarch64, and profile"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_recordings_of_another_architecture_are_named_with_the_other_file(
    command: str, both: str
) -> None:
    done, error = run(command, "arm")
    assert done.exit_code and both in error, (error, done.output, done.exception)


@pytest.mark.parametrize(
    "command",
    [
        "generate recording --scan @",
        "report recording --text --scan @",
        "profile fit profile --arch x86_64 --scan @",
        "profile fit profile --arch x86_64 --scan scan --before @",
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_scan_of_another_architecture_is_named_with_the_other_file(command: str) -> None:
    """It has nothing for the profile, and would seem to fit."""
    done, error = run(command, "arm-scan")
    other = "profile" if "fit" in command else "recording"
    assert done.exit_code and f"arm-scan of aarch64, {other} of x86_64" in error, error


@pytest.mark.parametrize("command", ["generate @ --scan scan", "report @ --text --scan scan"])
@pytest.mark.usefixtures("folder")
def test_a_scan_of_another_digest_is_named_with_the_recording(command: str) -> None:
    done, error = run(command, "other")
    assert done.exit_code, done.output
    assert f"scan of app:2 sha256:{'2' * 64}, other of app:1 sha256:{'1' * 64}" in error


def test_a_new_image_is_scanned_by_an_older_recording_with_a_note(folder: Path) -> None:
    """Both are wanted: `profile fit --scan` compares releases."""
    path = folder / "other"
    [note] = _list_other_images({path: read_sums(path)}, SCAN)
    assert f"{path} of app:1 sha256:{'1' * 64}, the scan of app:2 sha256:{'2' * 64}" in note
    assert not list(_list_other_images({path: read_sums(folder / "recording")}, SCAN))


@pytest.mark.parametrize(
    "command",
    [
        "profile derive nothing --allow mkdir",
        "profile derive nothing --deny mkdir",
        "generate recording --base nothing",
    ],
)
def test_the_empty_profile_is_refused_where_calls_are_added_to_a_profile(
    command: str, folder: Path
) -> None:
    """It has no default action: what is derived from it would be no profile."""
    (folder / "nothing").write_text("{}")
    done, error = run(command, "")
    assert done.exit_code and not done.stdout, done.stdout
    assert error.startswith("nothing: the empty profile stands for no seccomp"), error


@pytest.mark.parametrize("command", ["show @", "generate recording --scan @"])
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("cut", f"it ends in the middle, after {len(GOOD) // 2} bytes"),
        ("empty", "the file is empty"),
        ("deep", "nested too deep"),
    ],
)
def test_an_incomplete_file_is_described_with_a_remedy(
    kind: str, says: str, command: str, folder: Path
) -> None:
    (folder / "deep").write_text('{"a":' * 5000 + "1" + "}" * 5000)
    done, error = run(command, kind)
    assert says in error, error
    assert isinstance(done.exception, SeclatchError)
    assert done.exception.remedy.startswith("give what"), done.exception.remedy


@pytest.mark.usefixtures("folder")
def test_options_about_arguments_that_contradict_each_other() -> None:
    done, _ = run("generate --args --any-args recording", "")
    assert done.exit_code == 2 and "give one of them" in done.output, done.output
