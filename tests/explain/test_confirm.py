"""`seclatch explain --confirm`: further runs with the denied calls allowed decide."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from seclatch.diagnose.confirm.client_command.run_options import FLAGS
from seclatch.diagnose.confirm.run_limit import RunLimit
from seclatch.diagnose.observe_command import observe_command
from seclatch.recording.recorder import RecordOptions
from tests.explain.conftest import SCHEMA, SECLATCH
from tests.explain.corpus import denying
from tests.latch.oci import Bundle, Runtime

pytestmark = pytest.mark.root
Make = Callable[..., Bundle]
CRUN, RUNC = (Runtime(name, latched=False) for name in ("crun", "runc"))


def confirm(words: list[str], *options: str, **more: Any) -> tuple[dict[str, Any], Any]:
    """Return the explanation, and the finished command."""
    done = subprocess.run(
        [SECLATCH, "explain", "--confirm", "--json", *options, "--", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        **{"stdin": subprocess.DEVNULL, **more},
    )
    document = json.loads(done.stderr[done.stderr.index("{\n") :])
    jsonschema.validate(document, SCHEMA)
    assert document["status"] == done.returncode
    return document, done


def make_scripted(bundle: Make, script: str, *denied: str) -> Bundle:
    """Make a bundle with a writable /tmp, in which a shell runs the script."""
    made = bundle(["/bin/sh", "-c", script], seccomp=denying(*denied))
    made.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    made.write()
    return made


def list_ends(document: dict[str, Any]) -> list[tuple[list[str], str]]:
    return [(each["allowed"], each["end"]) for each in document["confirmation"]["runs"]]


# One run leaves all of these open: what the program says has nothing to do with the denied call.
@pytest.mark.parametrize(
    ("script", "verdict", "cause", "ends"),
    [
        (
            "mkdir /tmp/x && exit 0; echo something else; exit 7",
            True,
            "program-denied",
            [([], "same"), (["mkdir"], "succeeded"), ([], "same")],
        ),
        (
            "mkdir /tmp/x; echo something else; exit 7",
            False,
            "program-failed",
            [([], "same"), (["mkdir"], "same")],
        ),
        (
            "mkdir /tmp/x && echo then && exit 8; echo something else; exit 7",
            None,
            "possibly-denied",
            [([], "same"), (["mkdir"], "other")],
        ),
    ],
)
def test_what_further_runs_decide(
    bundle: Make, script: str, verdict: bool | None, cause: str, ends: list[Any]
) -> None:
    made = make_scripted(bundle, script, "mkdir")
    before = made.path.joinpath("config.json").read_bytes()
    document, done = confirm(CRUN.argv("run", "--bundle", made.path, made.id))
    assert (document["seccomp"], document["cause"]) == (verdict, cause), document["confirmation"]
    assert list_ends(document) == ends
    assert document["evidence"][0].startswith("tried: run again as it is it failed the same way")
    assert done.stdout == "something else\n"  # of the first run alone
    assert made.path.joinpath("config.json").read_bytes() == before
    assert "seclatch-confirm" not in CRUN("list", "--quiet").stdout


def test_two_denied_calls_and_the_one_that_it_takes(bundle: Make) -> None:
    script = "chmod 700 /tmp 2>/dev/null; mkdir /tmp/x && exit 0; echo something else; exit 7"
    made = make_scripted(bundle, script, "mkdir", "chmod", "fchmodat")
    document, _ = confirm(RUNC.argv("run", "--bundle", made.path, made.id))
    assert document["confirmation"]["calls"] == ["mkdir"], list_ends(document)
    assert "was denied mkdir(" in document["summary"]


def test_a_call_that_is_denied_only_after_the_first_one_is_allowed(bundle: Make) -> None:
    script = "mkdir /tmp/x && chmod 700 /tmp/x && exit 0; echo something else; exit 7"
    made = make_scripted(bundle, script, "mkdir", "chmod", "fchmodat")
    document, _ = confirm(CRUN.argv("run", "--bundle", made.path, made.id))
    [first, second] = document["confirmation"]["calls"]
    assert (document["seccomp"], first) == (True, "mkdir"), document["confirmation"]
    assert second in ("chmod", "fchmodat")
    remedy = document["remedies"][0]
    assert remedy["text"].startswith(f"allow mkdir, {second} to the program, which it takes")
    profile = json.loads(document["fix"]["text"])["linux"]["seccomp"]
    assert not {first, second} & {name for rule in profile["syscalls"] for name in rule["names"]}


def make_counting(bundle: Make, folder: Path, script: str) -> Bundle:
    """Make a bundle whose runs share a volume."""
    (folder / "shared").mkdir()
    made = make_scripted(bundle, script, "mkdir")
    made.config["mounts"].append(
        {
            "destination": "/shared",
            "source": str(folder / "shared"),
            "type": "bind",
            "options": ["bind", "rw"],
        }
    )
    made.write()
    return made


def test_a_failure_that_does_not_come_again(bundle: Make, tmp_path: Path) -> None:
    script = "mkdir /tmp/x; test -e /shared/ran && exit 0; echo > /shared/ran; exit 7"
    made = make_counting(bundle, tmp_path, script)
    document, _ = confirm(CRUN.argv("run", "--bundle", made.path, made.id))
    assert document["confirmation"]["reason"] == "run again as it is, it did not fail"
    assert list_ends(document) == [([], "succeeded")]
    assert document["seccomp"] is None, document


def test_a_failure_that_ends_by_itself(bundle: Make, tmp_path: Path) -> None:
    """A database that is ready at the third time: the denied call has nothing to do with it."""
    script = (
        "mkdir /tmp/x 2>/dev/null; echo >> /shared/runs; "
        "test $(wc -l < /shared/runs) -ge 3 && exit 0; echo not ready; exit 7"
    )
    made = make_counting(bundle, tmp_path, script)
    document, _ = confirm(CRUN.argv("run", "--bundle", made.path, made.id))
    assert list_ends(document) == [([], "same"), (["mkdir"], "succeeded"), ([], "succeeded")]
    assert "once more, it did not fail the same way" in document["confirmation"]["reason"]
    assert document["seccomp"] is None, document


def test_input_is_read_again_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_text("first\ngiven\n")
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(denying("mkdir")))
    script = 'read a; test "$a" = given || exit 9; mkdir /tmp/x && exit 0; echo else; exit 7'
    words = [SECLATCH, "run", "--runtime", "crun", "--profile", str(profile), "sh", "-c", script]
    with file.open("rb", buffering=0) as stream:
        stream.seek(len("first\n"))
        document, _ = confirm(words, stdin=stream)
    assert list_ends(document) == [([], "same"), (["mkdir"], "succeeded"), ([], "same")]
    # A pipe can be read once: the first answer is kept, with the reason.
    with subprocess.Popen(["echo", "given"], stdout=subprocess.PIPE) as giver:
        document, done = confirm(words, stdin=giver.stdout)
    assert done.returncode == 7
    assert list_ends(document) == []
    assert "standard input is a pipe" in document["confirmation"]["reason"]
    assert document["evidence"][0].startswith("not run again to confirm it: its standard input")


def test_a_program_that_a_profile_is_put_on(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(denying("mkdir")))
    script = f"/bin/mkdir {tmp_path}/x 2>/dev/null && exit 0; echo else; exit 7"
    words = [SECLATCH, "apply", "--profile", str(profile), "sh", "-c", script]
    document, _ = confirm(words)
    assert (document["seccomp"], document["confirmation"]["calls"]) == (True, ["mkdir"]), document


def test_a_command_that_is_not_run_again(tmp_path: Path) -> None:
    words = ["sh", "-c", f"echo ran >> {tmp_path}/ran; exit 7"]
    document, _ = confirm(words)
    assert (tmp_path / "ran").read_text() == "ran\n"
    assert document["confirmation"]["reason"].startswith("it is none of docker run, ")
    done = subprocess.run(
        [SECLATCH, "explain", "--confirm", "--next"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "of no use without a command" in done.stderr) == (2, True)


def test_a_run_that_goes_on_is_ended_with_its_container(bundle: Make) -> None:
    made = bundle(["/bin/sleep", "1000"], seccomp=None)
    stop = CRUN.argv("delete", "--force", made.id)
    limit, began = RunLimit(0.5, [stop]), time.monotonic()
    options = RecordOptions(watch=limit.watch, query_images=False)
    evidence, _ = observe_command(tuple(CRUN.argv("run", "--bundle", made.path, made.id)), options)
    limit.clean()
    assert limit.exceeded
    assert evidence.status != 0
    assert time.monotonic() - began < 60
    assert made.id not in CRUN("list", "--quiet").stdout.split()


def list_sleepers(ancestor: int) -> list[int]:
    """Return the sleeping programs below a process."""
    found = subprocess.run(
        ["pgrep", "-f", "^sleep 1234$"], capture_output=True, text=True, check=False
    ).stdout
    pids = [int(word) for word in found.split()]
    return [pid for pid in pids if descends_from(pid, ancestor)]


def descends_from(pid: int, ancestor: int) -> bool:
    while pid > 1 and pid != ancestor:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return pid == ancestor


@pytest.mark.parametrize("client", ["docker", "podman", "ctr", "runc"])
def test_options_without_a_value_are_known(client: str) -> None:
    """Held against what the client itself says: else the image would not be found behind them."""
    done = subprocess.run([client, "run", "--help"], capture_output=True, text=True, check=False)
    flag = re.compile(r"\s+(?:-\w, )?--([\w-]+)(?:, -\w)?(?:\s{2,}|\s*$)")
    valued = re.compile(r"\s+(?:-\w, )?--([\w-]+)(?:, -\w)? (?=\S)")
    lines = done.stdout.splitlines()
    flags = {found[1] for line in lines if (found := flag.match(line))}
    others = {found[1] for line in lines if (found := valued.match(line))}
    assert len(flags) >= 5
    assert flags <= FLAGS[client]
    assert not others & FLAGS[client]
