"""The latch's C code by itself and as a whole under the address and undefined-behaviour
sanitizers."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Compiler
from tests.latch.oci import Runtime, case, copy_front, created, make_bundle, running

NATIVE = Path(__file__).parent.parent.parent / "native"
SANITIZED = [
    "gcc", "-g", "-O1", "-D_GNU_SOURCE", "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE}",
]  # fmt: skip


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("native") / "probe"
    sources = [p for p in NATIVE.glob("*.c") if p.name != "main.c"]
    source = Path(__file__).with_name("probe.c")
    subprocess.run([*SANITIZED, "-o", program, source, *sources], check=True)
    return program


def ask(probe: Path, *words: str) -> str:
    return subprocess.run([probe, *words], check=True, capture_output=True, text=True).stdout


# How engines call a runtime, as seen in their sources and logs.
CALLS = [
    ("--root /run/docker/runtime-runc/moby --log /t/log.json --log-format json --systemd-cgroup "
     "create --bundle /b --pid-file /p abc", (True, True, "/t/log.json")),
    ("--root /r --log /t/log.json --log-format json exec --process /p --detach abc",
     (True, True, "/t/log.json")),
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
]  # fmt: skip


@pytest.mark.parametrize(("line", "want"), CALLS)
def test_what_engines_ask(probe: Path, line: str, want: tuple[bool, bool, str]) -> None:
    starts, json_, log = ask(probe, "argv", *line.split()).rstrip("\n").split(" ", 2)
    assert (starts == "1", json_ == "1", log) == want


OPTIONS = st.sampled_from(
    [["--root", "exec"], ["--root=run"], ["--log", "/l"], ["--log-format", "json"], ["--debug"],
     ["--systemd-cgroup"], ["--rootless", "auto"], ["--criu", "/c"], ["-r", "create"]]
)  # fmt: skip


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
    for number in errno.errorcode:
        reason, remedy = ask(probe, "refusal", str(number)).splitlines()
        assert reason
        assert remedy
        assert not set(reason + remedy) & set('"\\\n\t')
        assert len(reason) + len(remedy) < 850
        seen.add(reason)
    assert "this kernel cannot suspend seccomp" in seen
    assert len(seen) >= 5


@pytest.fixture
def sanitized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The whole latch with sanitizers; a finding in any of its processes fails the test.

    Leaks cannot be looked for in a process that is traced (LeakSanitizer uses ptrace itself)."""
    program = tmp_path / "latch"
    subprocess.run([*SANITIZED, "-o", program, *NATIVE.glob("*.c")], check=True)
    monkeypatch.setenv("ASAN_OPTIONS", f"detect_leaks=0:log_path={tmp_path}/finding")
    monkeypatch.setenv("UBSAN_OPTIONS", f"log_path={tmp_path}/finding:print_stacktrace=1")
    yield program
    findings = list(tmp_path.glob("finding*"))
    assert not findings, findings[0].read_text()


@pytest.mark.root
@pytest.mark.parametrize("name", ["runc", "crun"])
def test_whole_under_sanitizers(sanitized: Path, name: str, rootfs: Path, tmp_path: Path) -> None:
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
def test_refusal_under_sanitizers(sanitized: Path, tmp_path: Path, compiler: Compiler) -> None:
    front = copy_front(tmp_path / "fronts", "seclatch-x", "/bin/true")
    front.write_bytes(sanitized.read_bytes())
    for log in ([], ["--log", str(tmp_path / "log")]):
        done = subprocess.run(
            ["unshare", "-Ur", front, *log, "create"], env=os.environ, check=False,
            capture_output=True,
        )  # fmt: skip
        assert done.returncode == 125
