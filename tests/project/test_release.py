"""The release command: what is not ready, checksums, differences, and the bill of materials."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cyclonedx.output.json import JsonV1Dot6

from tools import release, sbom
from tools.deb import read_version

ROOT = Path(__file__).parents[2]
EPOCH = 1_767_225_600


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "a.whl").write_bytes(b"a")
    (tmp_path / "b.deb").write_bytes(b"b")
    return tmp_path


def test_checksums_are_those_of_coreutils(files: Path) -> None:
    release.write_sums(files)
    check = ["sha256sum", "--check", "--strict", release.SUMS]
    assert subprocess.run(check, cwd=files, capture_output=True, check=False).returncode == 0
    (files / "a.whl").write_bytes(b"x")
    assert subprocess.run(check, cwd=files, capture_output=True, check=False).returncode == 1


def test_differences_are_named(files: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    assert release.find_differences(files, other) == ["a.whl", "b.deb"]
    for path in files.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    assert release.find_differences(files, other) == []
    (other / "a.whl").write_bytes(b"x")
    assert release.find_differences(files, other) == ["a.whl"]


@pytest.mark.parametrize(
    ("heading", "ready"),
    [
        ("## {} (2026-01-31)", True),
        ("## {} (unreleased)", False),
        ("## 0.0.1 (2026-01-31)", False),
        ("", False),
    ],
)
def test_the_changelog_names_the_version_and_a_day(
    tmp_path: Path, heading: str, ready: bool
) -> None:
    for name in ("src/seclatch/version.py", "debian/changelog"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    text = f"# Changelog\n\n{heading.format(read_version(ROOT))}\n\n- x\n"
    (tmp_path / "CHANGELOG.md").write_text(text)
    problems = [line for line in release.find_problems(tmp_path) if "CHANGELOG" in line]
    assert (not problems) is ready


def test_both_builds_are_of_one_commit(tmp_path: Path) -> None:
    """Even if the tree goes on between them."""
    source = tmp_path / "source"
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]

    def git(*words: str | Path) -> None:
        subprocess.run(["git", *identity, *words], check=True, capture_output=True)

    git("init", source)
    for text in ("one", "two"):
        (source / "file").write_text(text)
        git("-C", source, "add", "file")
        git("-C", source, "commit", "-m", text)
        if text == "one":
            commit = release.read_commit(source)
    release.make_clone(source, commit, tmp_path / "clone")
    assert (tmp_path / "clone/file").read_text() == "one"


def test_the_bill_of_materials(files: Path) -> None:
    """It is valid (the library's own schema), the same each time, and names what is inside."""
    paths = sorted(files.iterdir())
    text = sbom.write_sbom(ROOT, paths, EPOCH)
    assert sbom.write_sbom(ROOT, paths, EPOCH) == text
    document = json.loads(text)
    assert document["metadata"]["timestamp"] == "2026-01-01T00:00:00+00:00"
    names = {component["name"] for component in document["components"]}
    assert names >= {"musl", "click", "msgspec", "iced-x86", "docker-default", "podman-default"}
    references = document["metadata"]["component"]["externalReferences"]
    assert {each["url"] for each in references} >= {"a.whl", "b.deb"}
    (files / "a.whl").write_bytes(b"x")
    assert (
        json.loads(sbom.write_sbom(ROOT, paths, EPOCH))["serialNumber"] != document["serialNumber"]
    )


def test_an_invalid_bill_of_materials_is_refused(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = JsonV1Dot6.output_as_string
    monkeypatch.setattr(
        JsonV1Dot6,
        "output_as_string",
        lambda *words, **options: render(*words, **options).replace('"library"', '"lib"'),
    )
    with pytest.raises(SystemExit, match="not valid"):
        sbom.write_sbom(ROOT, [], EPOCH)
