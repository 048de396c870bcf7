"""The latch's C code, its parts and the whole, under the address and UB sanitizers."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.latch.oci import Runtime, case, copy_front, created, make_bundle, running
from tests.native.conftest import NATIVE, SANITIZED


def ask(probe: Path, *words: str) -> str:
    return subprocess.run([probe, *words], check=True, capture_output=True, text=True).stdout


# Command lines with which engines call a runtime, from their sources and logs.
CALLS = [
    (
        "--root /run/docker/runtime-runc/moby --log /t/log.json --log-format json --systemd-cgroup "
        "create --bundle /b --pid-file /p abc",
        (True, True, "/t/log.json"),
    ),
    (
        "--root /r --log /t/log.json --log-format json exec --process /p --detach abc",
        (True, True, "/t/log.json"),
    ),
    ("--root /r --log /t/log.json --log-format json start abc", (False, True, "/t/log.json")),
    ("--root=/r --log=/t/l --log-format=text delete --force run", (False, False, "/t/l")),
    ("--systemd-cgroup --cgroup-manager cgroupfs run -b b x", (True, False, "")),
    ("--cgroup-manager=systemd --rootless true state create", (False, False, "")),
    ("-root /r -log /l run x", (True, False, "/l")),
    ("--criu create state x", (False, False, "")),
    ("--log-level debug create x", (True, False, "")),
    ("--log create create x", (True, False, "create")),
    ("--future-option create run", (True, False, "")),
    ("--future-option=3 list", (False, False, "")),
    ("--debug -- exec", (True, False, "")),
    ("--version", (False, False, "")),
    ("restore --image-path /i x", (False, False, "")),
    ("update exec", (False, False, "")),
    ("", (False, False, "")),
]


@pytest.mark.parametrize(("line", "want"), CALLS)
def test_subcommands_of_engines(probe: Path, line: str, want: tuple[bool, bool, str]) -> None:
    starts, json_, log = ask(probe, "argv", *line.split()).splitlines()[0].split(" ", 2)
    assert (starts == "1", json_ == "1", log) == want


BUNDLES = [
    ("run x", (".", "config.json")),
    ("create --bundle /b x", ("/b", "config.json")),
    ("create --bundle=/b --pid-file p x", ("/b", "config.json")),
    ("create -b /b --console-socket s x", ("/b", "config.json")),
    ("create -b/b x", ("/b", "config.json")),
    ("run -bundle /b -f c.json x", ("/b", "c.json")),
    ("run --bun /b --config=c.json x", ("/b", "c.json")),
    ("--debug --log /l create --no-pivot --bundle /b x", ("/b", "config.json")),
    ("create --bundle", (".", "config.json")),
    ("run -df c.json -db /b x", ("/b", "c.json")),
    ("run -d -b /b x", ("/b", "config.json")),
    ("run -detach -b /b x", ("/b", "config.json")),
    ("run -b /b -- -bx", ("/b", "config.json")),
    ("exec --bundle /b x", ("", "")),
    ("state --bundle /b", ("", "")),
]


@pytest.mark.parametrize(("line", "want"), BUNDLES)
def test_the_bundle_directory(probe: Path, line: str, want: tuple[str, str]) -> None:
    assert tuple(ask(probe, "argv", *line.split()).splitlines()[1:3]) == want


NAMES = [
    ("run x", "x"),
    ("--root /r create --bundle /b --pid-file p 3f2a", "3f2a"),
    ("exec --process /p --detach --pid-file p 3f2a", "3f2a"),
    ("exec -d -p /p 3f2a", "3f2a"),
    ("exec --process=/p 3f2a", "3f2a"),
    ("exec -u 0 -e A=b --process=/p 3f2a", "3f2a"),
    ("exec 3f2a grep -p mouse", ""),  # arguments of the program
    ("exec --user -p 3f2a grep mouse", ""),
    ("exec -t 3f2a cat --process x", ""),
    ("run --detach", ""),
    ("exec 3f2a sh", ""),  # which one it is depends on the options that the runtime knows
    ("run ../x", ""),
    ('run x"y', ""),
    ("run", ""),
]


@pytest.mark.parametrize(("line", "want"), NAMES)
def test_the_container_s_name(probe: Path, line: str, want: str) -> None:
    assert ask(probe, "argv", *line.split()).splitlines()[3] == want


OPTIONS = st.sampled_from(
    [
        ["--root", "exec"],
        ["--root=run"],
        ["--log", "/l"],
        ["--log-format", "json"],
        ["--debug"],
        ["--systemd-cgroup"],
        ["--rootless", "auto"],
        ["--criu", "/c"],
        ["-r", "create"],
    ]
)


@given(st.lists(OPTIONS, max_size=6), st.sampled_from(["create", "run", "exec", "kill", "spec"]))
def test_known_options_never_hide_or_fake_the_command(
    probe: Path, options: list[list[str]], command: str
) -> None:
    words = [word for option in options for word in option]
    starts = ask(probe, "argv", *words, command, "run")[0]
    assert starts == ("1" if command in ("create", "run", "exec") else "0")


@pytest.mark.parametrize("seed", ["1", "2026", "987654321"])
def test_random_arguments(probe: Path, seed: str) -> None:
    subprocess.run([probe, "fuzz", seed, "200000"], check=True)


def test_every_refusal_fits_a_json_log(probe: Path) -> None:
    """The log line is written without escaping and into a fixed buffer."""
    seen = set()
    for number, mode in itertools.product(errno.errorcode, range(4)):
        reason, remedy = ask(probe, "refusal", str(number), str(mode)).splitlines()
        assert reason
        assert remedy
        assert not set(reason + remedy) & set('"\\\n\t')
        assert len(reason) + len(remedy) < 850
        seen.add(reason)
    assert "this kernel cannot suspend seccomp" in seen
    assert len(seen) >= 5


@pytest.fixture
def sanitized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Build the whole latch with sanitizers; a finding in any of its processes fails the test.

    LeakSanitizer uses ptrace itself, so a traced process cannot be checked for leaks.
    """
    program = tmp_path / "latch"
    subprocess.run([*SANITIZED, "-o", program, *NATIVE.glob("*.c")], check=True)
    monkeypatch.setenv("ASAN_OPTIONS", f"detect_leaks=0:log_path={tmp_path}/finding")
    monkeypatch.setenv("UBSAN_OPTIONS", f"log_path={tmp_path}/finding:print_stacktrace=1")
    yield program
    findings = list(tmp_path.glob("finding*"))
    assert not findings, findings[0].read_text()


@pytest.mark.root
@pytest.mark.parametrize("mode", ["suspend", "gate"])
@pytest.mark.parametrize("name", ["runc", "crun"])
def test_a_whole_start_under_sanitizers(
    sanitized: Path,
    name: str,
    rootfs: Path,
    tmp_path: Path,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECLATCH_MODE", mode)
    front = copy_front(tmp_path / "fronts", f"seclatch-{name}", None)
    front.write_bytes(sanitized.read_bytes())
    runtime = Runtime(name, front=front)
    short = make_bundle(tmp_path / "short", rootfs, ["/bin/exit42"], seccomp=case("exit-only"))
    assert runtime("run", "--bundle", short.path, short.id).returncode == 42
    long = make_bundle(tmp_path / "long", rootfs, ["/bin/sleep", "100"], seccomp=case("stali-like"))
    with running(runtime, long):
        assert runtime("exec", long.id, "/bin/exit42").returncode == 42
    with created(runtime, short):
        pass


@pytest.mark.root
def test_refusal_under_sanitizers(
    sanitized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECLATCH_MODE", "suspend")
    front = copy_front(tmp_path / "fronts", "seclatch-x", "/bin/true")
    front.write_bytes(sanitized.read_bytes())
    for log in ([], ["--log", str(tmp_path / "log")]):
        done = subprocess.run(
            ["unshare", "-Ur", front, *log, "create"],
            env=os.environ,
            check=False,
            capture_output=True,
        )
        assert done.returncode == 125
