from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.image.image_command import FoundPrograms, ImageCommand, ProgramFinder
from seclatch.scan.image.rootfs_reader import Rootfs

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


def follow(root: Path, *words: str, directory: str = "/") -> FoundPrograms:
    finder = ProgramFinder(Rootfs(root), ImageCommand(words, (), directory))
    finder.follow(words, "test")
    return finder.found


def test_a_program_is_found_by_path(root: Path) -> None:
    assert list(follow(root, "nginx", "-g", "x").targets) == ["/usr/sbin/nginx"]


def test_a_file_that_is_not_executable_is_noted(root: Path) -> None:
    (root / "bin/ls").chmod(0o644)
    found = follow(root, "ls")
    assert not found.targets
    assert found.notes == ["ls (test) is in the image, but not executable"]
    assert follow(root, "none").notes == ["none (test) is not in the image"]


def test_a_relative_path_counts_from_the_working_directory(root: Path) -> None:
    assert list(follow(root, "./nginx", directory="/usr/sbin").targets) == ["/usr/sbin/nginx"]


def test_a_script_adds_its_interpreter_and_the_programs_it_names(root: Path) -> None:
    script(root, "start", '#!/bin/sh -e\n# not python3\nls /; exec gosu www "$@"\n')
    found = follow(root, "/start", "nginx")
    assert set(found.targets) == {"/bin/sh", "/bin/ls", "/bin/gosu", "/usr/sbin/nginx"}


def test_env_finds_the_interpreter(root: Path) -> None:
    script(root, "app.py", "#!/usr/bin/env python3\nimport os\n")
    (root / "usr/bin/env").symlink_to("/bin/env")
    found = follow(root, "/app.py")
    assert set(found.targets) == {"/bin/env", "/usr/bin/python3"}
    assert any("cannot be seen" in note for note in found.notes)


def test_the_words_of_sh_c_are_parsed_as_commands(root: Path) -> None:
    assert set(follow(root, "sh", "-c", "ls && nginx").targets) == {
        "/bin/sh",
        "/bin/ls",
        "/usr/sbin/nginx",
    }


@pytest.mark.parametrize(
    "line",
    [
        "tini -- nginx -g x",
        "tini -vv -e 143 -- nginx",
        "env -i A=/bin/ls nginx",
        "gosu nginx nginx",
        "gosu www tini -- nginx",
        "setpriv --reuid=www --init-groups nginx",
        "timeout -s KILL 10 nginx",
        "env sh -c nginx",
    ],
)
def test_wrappers_run_their_arguments(root: Path, line: str) -> None:
    for name in ("tini", "setpriv", "timeout"):
        (root / "bin" / name).write_bytes(ELF)
        (root / "bin" / name).chmod(0o755)
    found = follow(root, *line.split())
    named = {word for word in line.split() if (root / "bin" / word).exists()}
    assert set(found.targets) == {"/usr/sbin/nginx", *(f"/bin/{each}" for each in named)}
    assert found.notes == []


def test_a_wrapper_s_option_value_may_be_a_program(root: Path) -> None:
    script(root, "bin/setpriv", "")
    (root / "bin/setpriv").write_bytes(ELF)
    found = follow(root, "setpriv", "--reuid", "ls", "--clear-groups", "nginx", "ls")
    assert set(found.targets) == {"/bin/setpriv", "/bin/ls", "/usr/sbin/nginx"}


def test_a_wrapper_s_program_may_be_missing(root: Path) -> None:
    notes = follow(root, "env", "A=b", "app", "x").notes
    assert notes == ["what /bin/env runs is not in the image"]
    assert follow(root, "env").notes == []


def test_wrappers_that_run_one_another_terminate(root: Path) -> None:
    [note] = follow(root, *["env"] * 1000, "nginx").notes
    assert note.startswith("/bin/env (run by /bin/env) is left out")
    for each in "abcdefghi":
        (root / "bin" / each).mkdir()
        (root / "bin" / each / "env").write_bytes(ELF)
        (root / "bin" / each / "env").chmod(0o755)
    found = follow(root, *(f"/bin/{each}/env" for each in "abcdefghi"), "nginx")
    assert len(found.targets) == 9
    assert found.notes == [
        "/usr/sbin/nginx (run by /bin/i/env) is left out: it is run by way of 9 others"
    ]


def test_scripts_that_name_one_another_terminate(root: Path) -> None:
    script(root, "bin/a", "#!/bin/sh\nb\n")
    script(root, "bin/b", "#!/bin/sh\na\n")
    assert set(follow(root, "a").targets) == {"/bin/sh"}


@pytest.mark.parametrize("first", ["#!\n", "#! \n", "#!/none\n", "#!/bin/a\n", "#!/usr/bin/env\n"])
def test_odd_first_lines_are_noted(root: Path, first: str) -> None:
    script(root, "bin/a", first)
    (root / "usr/bin/env").symlink_to("/bin/env")
    follow(root, "a")


def test_a_missing_program_is_noted(root: Path) -> None:
    assert "none" in follow(root, "none").notes[0]


HANDED = {
    "to sh -c": ("/start", "sh", "-c", "exec nginx"),
    "with options": ("sh", "-e", "-c", "exec nginx"),
    "with an option's value": ("sh", "-euo", "pipefail", "-c", "exec nginx"),
    "as docker's SHELL": ("sh", "-o", "pipefail", "-c", "exec nginx"),
    "by busybox": ("busybox", "sh", "-c", "exec nginx"),
    "in a text": ("sh", "-c", 'exec "$@"', "--", "nginx"),
    "in a file": ("sh", "/plain", "none"),
    "behind a sign": ("/signs",),
}


@pytest.mark.parametrize("how", HANDED)
def test_arguments_of_a_shell_are_followed(how: str, root: Path) -> None:
    (root / "bin/busybox").write_bytes(ELF)
    (root / "bin/busybox").chmod(0o755)
    script(root, "start", '#!/bin/sh\nexec "$@"\n')
    script(root, "signs", "#!/bin/sh\nsed 's/ # .*//' /x; exec nginx\n")
    (root / "plain").write_text("exec nginx\n")
    assert "/usr/sbin/nginx" in follow(root, *HANDED[how]).targets


def test_arguments_of_programs_in_scripts_are_kept(root: Path) -> None:
    text = "#!/bin/sh\nnginx -t\nexec nginx -g 'daemon off;' \\\n  -c /srv/n.conf\n"
    script(root, "start", text)
    target = follow(root, "/start", "nginx", "-p", "/x", directory="/srv").targets[
        "/usr/sbin/nginx"
    ]
    assert {"-t", "-c", "/srv/n.conf"} <= set(target.arguments)
    assert target.directory == "/srv"


def test_an_interpreter_keeps_the_name_of_its_link(root: Path) -> None:
    (root / "venv/bin").mkdir(parents=True)
    (root / "venv/bin/python").symlink_to("/usr/bin/python3")
    script(root, "app", "#!/venv/bin/python\n")
    target = follow(root, "/app").targets["/usr/bin/python3"]
    assert target.named == "/venv/bin/python"
    assert target.arguments == ("/app",)


def test_scripts_that_name_one_another_often_terminate(root: Path) -> None:
    names = [f"bin/s{i}" for i in range(8)]
    for name in names:
        script(root, name, "#!/bin/sh\n" + "".join(f"{each[4:]} x\n" for each in names) * 50)
    assert set(follow(root, "s0").targets) == {"/bin/sh"}


LOADED = [
    ("export LD_PRELOAD=/lib/own.so", "LD_PRELOAD", "/lib/own.so", ""),
    ('LD_PRELOAD="/lib/own.so:$LD_PRELOAD" exec ls', "LD_PRELOAD", "/lib/own.so", ""),
    ("LD_LIBRARY_PATH=/opt/lib:${LD_LIBRARY_PATH:-} ls", "LD_LIBRARY_PATH", "/opt/lib", ""),
    ("env LD_AUDIT='/lib/own.so' ls", "LD_AUDIT", "/lib/own.so", ""),
    ('export LD_PRELOAD="$(echo /usr/lib/*/own.so)"', "LD_PRELOAD", "", "own.so"),
    ("LD_PRELOAD=$HERE/own.so ls", "LD_PRELOAD", "", "own.so"),
    ("# LD_PRELOAD=/lib/own.so", "LD_PRELOAD", "", ""),
    ("export GCONV_PATH=/opt/gconv", "GCONV_PATH", "/opt/gconv", ""),
    ("export GCONV_PATH=$HERE/gconv", "GCONV_PATH", "", "GCONV_PATH in a script"),
    ("LD_PRELOAD= ls", "LD_PRELOAD", "", ""),
]


@pytest.mark.parametrize(("line", "name", "value", "unknown"), LOADED)
def test_libraries_that_scripts_preload(
    line: str, name: str, value: str, unknown: str, root: Path
) -> None:
    script(root, "start", f"#!/bin/sh\n{line}\nexec ls\n")
    finder = ProgramFinder(Rootfs(root), ImageCommand())
    finder.follow(["/start"], "test")
    targets = [each for each in finder.targets() if each.path == "/bin/ls"]
    assert dict(targets[-1].environment).get(name, "") == value
    assert len(targets) == (2 if name == "LD_LIBRARY_PATH" else 1)
    assert (unknown in "".join(targets[0].unknown)) if unknown else not targets[0].unknown


NAMING = [
    ("#!/bin/sh", "read GCONV_PATH; export GCONV_PATH; ls", "GCONV_PATH", ["/start"]),
    ("#!/bin/sh", "GLIBC_TUNABLES=$X ls", "GLIBC_TUNABLES", ["/start"]),
    ("#!/usr/bin/python3", 'os.environ["GCONV_PATH"] = x', "GCONV_PATH", ["/start"]),
    ("", "", "GCONV_PATH", ["env", "GCONV_PATH=/opt/gconv", "ls"]),
    ("", "", "SYSTEMD_LOG_TARGET", ["sh", "-c", "export SYSTEMD_LOG_TARGET=journal; ls"]),
]


@pytest.mark.parametrize(("interpreter", "text", "name", "words"), NAMING)
def test_variables_on_which_rules_depend(
    interpreter: str, text: str, name: str, words: list[str], root: Path
) -> None:
    """What names one may set it, by whatever command; it counts for all programs."""
    script(root, "start", f"{interpreter}\n{text}\n")
    finder = ProgramFinder(Rootfs(root), ImageCommand())
    finder.follow(words, "test")
    targets = finder.targets()
    assert targets
    assert all(name in dict(target.environment) for target in targets)


@pytest.mark.parametrize("script_s", [False, True])
def test_arguments_of_the_loader_are_followed(script_s: bool, root: Path) -> None:
    """The loader runs a program that is not executable, with libraries from elsewhere."""
    loader = root / "opt/ld-linux-x86-64.so.2"
    loader.parent.mkdir()
    loader.write_bytes(ELF)
    loader.chmod(0o755)
    (root / "opt/app").write_bytes(ELF)
    words = "/opt/ld-linux-x86-64.so.2 --argv0 x --library-path /opt/a:/opt/b --preload /opt/c.so"
    script(root, "start", f'#!/bin/sh\nexec {words} /opt/app -v "$@"\n')
    finder = ProgramFinder(Rootfs(root), ImageCommand())
    finder.follow(["/start"] if script_s else [*words.split(), "/opt/app", "-v"], "test")
    targets = [each for each in finder.targets() if each.path == "/opt/app"]
    environment = dict(targets[-1].environment)
    assert targets[0].arguments == ("-v",)
    assert environment["LD_PRELOAD"] == "/opt/c.so"
    assert environment["LD_LIBRARY_PATH"].startswith("/opt/a")


def test_what_was_executed_is_taken_and_not_what_its_words_name(root: Path) -> None:
    finder = ProgramFinder(Rootfs(root), ImageCommand())
    finder.take("/bin/sh", ["-c", "nginx -g x"], "executed while recording")
    finder.take("/bin/none", [], "executed while recording")
    assert list(finder.found.targets) == ["/bin/sh"]
    assert finder.found.notes == ["/bin/none (executed while recording) is not in the image"]


def test_links_to_a_program_are_kept_as_its_names(root: Path) -> None:
    (root / "bin/web").symlink_to("../usr/sbin/nginx")
    assert list(follow(root, "web").names) == ["/bin/web", "/usr/sbin/nginx"]
