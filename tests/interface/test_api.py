"""The Python interface, by the examples of its own page."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import seclatch

ROOT = Path(__file__).parents[2]


def blocks() -> list[str]:
    page = (ROOT / "docs/api.md").read_text()
    found = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(found) >= 6
    return found


@pytest.mark.root
def test_the_examples_of_the_page() -> None:
    """Run them in order, in one interpreter: later ones use results of earlier ones."""
    text = "\n\n".join(blocks())
    test = doctest.DocTestParser().get_doctest(text, {}, "docs/api.md", "docs/api.md", 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    result: list[str] = []
    runner.run(test, out=result.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(result)


WRONG = """
import seclatch

seclatch.run(["true"], 7)
seclatch.loads(b"{}")
seclatch.compile("strict.json")
status, recording = seclatch.record(["true"])
recording.cals
"""


def check_types(path: Path) -> subprocess.CompletedProcess[str]:
    """Check them as a user's own strict mypy does, without this project's settings."""
    words = ["--strict", "--config-file=", f"--cache-dir={path.parent}/cache", str(path)]
    return subprocess.run(
        [sys.executable, "-m", "mypy", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        cwd=path.parent,
    )


def test_the_examples_are_typed(tmp_path: Path) -> None:
    """The page's examples pass, and each wrong use is reported."""
    assert (ROOT / "src/seclatch/py.typed").exists()
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    examples = doctest.DocTestParser().get_examples("\n\n".join(blocks()))
    right.write_text("".join(example.source for example in examples))
    done = check_types(right)
    assert done.returncode == 0, done.stdout
    wrong.write_text(WRONG)
    result = [
        line.split(":")[1] for line in check_types(wrong).stdout.splitlines() if ": error" in line
    ]
    assert result == ["4", "5", "6", "8"]


def test_the_interface_equals_its_page() -> None:
    for name in seclatch.__all__:
        assert getattr(seclatch, name) is not None
    with pytest.raises(AttributeError):
        _ = seclatch.nothing


@pytest.mark.root
def test_recording_twice() -> None:
    """The first call imports the package of that name, which then takes its place."""
    for _ in range(2):
        status, recording = seclatch.record(["true"])
        assert (status, recording.commands) == (0, [["true"]])


OTHERS = """
import os, signal, subprocess, sys, time
from seclatch.recording.record_command import record_command
from seclatch.recording.recorder import RecordOptions

ended = subprocess.Popen(["sh", "-c", "exit 5"])
os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
stopped = subprocess.Popen(["sleep", "100"])
stopped.send_signal(signal.SIGSTOP)
going = subprocess.Popen(["sh", "-c", "sleep 0.3; exit 6"])
script = "for i in 1 2 3; do /bin/true & done; wait; sleep 0.5; exit 7"
status, recording = record_command(("sh", "-c", script), RecordOptions(backend="ptrace"))
print(status, len(recording.processes), ended.wait(), going.wait(), stopped.poll())
stopped.kill()
print(stopped.wait())
"""


def test_other_children_stay_the_caller_s() -> None:
    """The ptrace backend waits for tracees, not for a zombie that exists before them."""
    done = subprocess.run(
        [sys.executable, "-c", OTHERS], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == ["7 5 5 6 None", "-9"]


@pytest.mark.parametrize("call", [seclatch.record, seclatch.explain])
def test_an_invalid_command_is_refused(call: Callable[..., object]) -> None:
    one = ("true", b"true", Path("/bin/true"))
    for words, reason in (([], "no words"), *((word, "one word") for word in one)):
        with pytest.raises(seclatch.SeclatchError, match=reason):
            call(words)


@pytest.mark.root
def test_a_command_has_paths_too() -> None:
    assert seclatch.record([Path("true"), Path("x")]).status == 0
    assert seclatch.explain([Path("false")]).status == 1


def test_the_command_line_does_not_import_it() -> None:
    script = "import sys, seclatch; print('seclatch.api' in sys.modules, 'msgspec' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_paths_and_options(tmp_path: Path) -> None:
    """A path, a compiled program's path, options of subprocess, errors."""
    text = tmp_path / "only.json"
    text.write_text(
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": '
        '[{"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7}]}'
    )
    code = tmp_path / "only.bpf"
    code.write_bytes(seclatch.compile(seclatch.load(text)).code)
    script = "import os\ntry: os.getpgid(0)\nexcept OSError as e: print(e.errno)"
    read, write = os.pipe()
    for profile in (text, str(code)):
        done = seclatch.run(
            [sys.executable, "-c", script],
            profile,
            capture_output=True,
            text=True,
            pass_fds=[write],
            env={**os.environ, "X": "y"},
        )
        assert done.stdout.strip() == "7", done.stderr
    os.close(read)
    os.close(write)
    with pytest.raises(subprocess.CalledProcessError):
        seclatch.run(["false"], text, check=True)
    with pytest.raises(seclatch.SeclatchError, match="no command"):
        seclatch.run([], text)
    with pytest.raises(seclatch.SeclatchError, match="one word"):
        seclatch.run("true", text)
    for other in ({"executable": "/bin/true"}, {"shell": True}):
        with pytest.raises(seclatch.SeclatchError, match="nothing would be under the profile"):
            seclatch.run(["true"], text, **other)
        with pytest.raises(seclatch.SeclatchError, match="nothing would be under the profile"):
            seclatch.start(["true"], text, **other)
    with pytest.raises(seclatch.InputError, match="NOTIFY"):
        seclatch.compile(seclatch.loads('{"defaultAction": "SCMP_ACT_NOTIFY"}'))
    assert seclatch.run(["/nonexistent"], text, capture_output=True).returncode == 127
