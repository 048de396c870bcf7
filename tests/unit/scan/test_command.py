from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.command import Command, Finder, Found
from seclatch.scan.rootfs import Rootfs

ELF = b"\x7fELF rest"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("bin/sh", "bin/ls", "usr/bin/python3", "usr/sbin/nginx", "bin/env", "bin/gosu"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ELF)
        path.chmod(0o755)
    return tmp_path


def script(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text)
    (root / name).chmod(0o755)


def follow(root: Path, *words: str, directory: str = "/") -> Found:
    finder = Finder(Rootfs(root), Command(words, (), directory))
    finder.follow(words, "test")
    return finder.found


def test_a_program_is_found_by_path(root: Path) -> None:
    assert list(follow(root, "nginx", "-g", "x").targets) == ["/usr/sbin/nginx"]


def test_what_may_not_be_executed_is_told(root: Path) -> None:
    (root / "bin/ls").chmod(0o644)
    found = follow(root, "ls")
    assert not found.targets
    assert found.notes == ["ls (test) is in the image, but nobody may execute it"]
    assert follow(root, "none").notes == ["none (test) is not in the image"]


def test_a_relative_path_counts_from_the_working_directory(root: Path) -> None:
    assert list(follow(root, "./nginx", directory="/usr/sbin").targets) == ["/usr/sbin/nginx"]


def test_a_script_brings_its_interpreter_and_what_it_names(root: Path) -> None:
    script(root, "start", '#!/bin/sh -e\n# not python3\nls /; exec gosu www "$@"\n')
    found = follow(root, "/start", "nginx")
    assert set(found.targets) == {"/bin/sh", "/bin/ls", "/bin/gosu", "/usr/sbin/nginx"}


def test_env_finds_the_interpreter(root: Path) -> None:
    script(root, "app.py", "#!/usr/bin/env python3\nimport os\n")
    (root / "usr/bin/env").symlink_to("/bin/env")
    found = follow(root, "/app.py")
    assert set(found.targets) == {"/bin/env", "/usr/bin/python3"}
    assert any("cannot be seen" in note for note in found.notes)


def test_the_words_of_sh_c_are_commands(root: Path) -> None:
    assert set(follow(root, "sh", "-c", "ls && nginx").targets) == {
        "/bin/sh", "/bin/ls", "/usr/sbin/nginx",
    }  # fmt: skip


def test_scripts_that_name_each_other_end(root: Path) -> None:
    script(root, "bin/a", "#!/bin/sh\nb\n")
    script(root, "bin/b", "#!/bin/sh\na\n")
    assert set(follow(root, "a").targets) == {"/bin/sh"}


@pytest.mark.parametrize("first", ["#!\n", "#! \n", "#!/none\n", "#!/bin/a\n", "#!/usr/bin/env\n"])
def test_odd_first_lines_are_noted(root: Path, first: str) -> None:
    script(root, "bin/a", first)
    (root / "usr/bin/env").symlink_to("/bin/env")
    follow(root, "a")


def test_what_is_missing_is_said(root: Path) -> None:
    assert "none" in follow(root, "none").notes[0]
