"""The pytest plugin without containers: what it costs where nothing asks for it; image names."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.model.recording.recording import LostCounts
from seclatch.pytest_plugin import pytest_hooks
from seclatch.pytest_plugin.image_profiles import list_names, parse_image_profile
from seclatch.pytest_plugin.split_trace import SuiteContainer
from seclatch.pytest_plugin.suite_summary import group_by_image, name_file, summarize
from tests.unit.recordings import calls, recording

LOADED = """
import json, sys
def test_it():
    print("LOADED", json.dumps(sorted(m for m in sys.modules if m.split(".")[0] == "seclatch")))
"""


def run_pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-s", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_suite_that_does_not_ask_loads_three_modules(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(LOADED)
    done = run_pytest(tmp_path)
    (line,) = [line for line in done.stdout.splitlines() if "LOADED" in line]
    assert json.loads(line.partition("LOADED ")[2]) == [
        "seclatch",
        "seclatch.errors",
        "seclatch.pytest_plugin",
        "seclatch.pytest_plugin.pytest_hooks",
        "seclatch.version",
    ]


def test_hooks_are_of_the_kinds_that_old_pluggy_knows() -> None:
    """pluggy 1.0 of Debian 12 ended each pytest run beside an installed seclatch."""
    tree = ast.parse(Path(pytest_hooks.__file__).read_text())
    words = {
        word.arg
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.hookimpl"
        for word in call.keywords
    }
    assert words <= {"hookwrapper", "optionalhook", "tryfirst", "trylast"}


@pytest.mark.parametrize("word", ["--help", "--collect-only", "--version", "--fixtures"])
def test_nothing_is_recorded_where_no_test_runs(tmp_path: Path, word: str) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): pass")
    done = run_pytest(tmp_path, word, "--seclatch-profile=missing.json")
    assert done.returncode == 0, done.stderr


def test_a_profile_that_cannot_be_read_is_refused_before_the_tests(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import pathlib\ndef test_it(): pathlib.Path('x').touch()")
    (tmp_path / "wrong.json").write_text("{}\n[")
    for name, rule in {"missing.json": "No such file", "wrong.json": "wrong.json: line 2"}.items():
        done = run_pytest(tmp_path, f"--seclatch-profile={name}")
        assert done.returncode == pytest.ExitCode.USAGE_ERROR
        assert f"seclatch: {name}" in done.stderr and rule in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("image", "names"),
    [
        ("nginx", {"nginx"}),
        (
            "docker.io/library/nginx:1.27",
            {
                *("nginx", "nginx:1.27", "library/nginx", "library/nginx:1.27"),
                *("docker.io/library/nginx", "docker.io/library/nginx:1.27"),
            },
        ),
        ("host:5000/app", {"host:5000/app", "app"}),
        ("app@sha256:00", {"app", "app@sha256:00"}),
        ("", set()),
    ],
)
def test_names_of_an_image(image: str, names: set[str]) -> None:
    assert set(list_names(image)) == names


@given(st.text())
def test_an_image_never_leads_out_of_the_directory(image: str) -> None:
    name = name_file(image)
    assert name and "/" not in name and not name.startswith(".")


@pytest.mark.parametrize(
    ("lost", "fits"),
    [
        (LostCounts(), True),
        (LostCounts(arguments=3), True),
        (LostCounts(events=1), False),
        (LostCounts(calls=1), False),
        (LostCounts(processes=1), False),
    ],
)
def test_what_was_lost_is_not_taken_for_what_fits(
    tmp_path: Path, lost: LostCounts, fits: bool
) -> None:
    loose = tmp_path / "loose.json"
    loose.write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    seen = recording(calls("program", "read"), lost=lost)
    images = group_by_image([SuiteContainer("c1", "web", 1, seen)])
    lines, fit = summarize(images, [parse_image_profile(f"web={loose}")])
    assert fit is fits
    assert any("not everything" in line for line in lines) is not fits
    assert summarize(images, [])[1]
