"""What is refused, and known, before a user's own processes are touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.system.procfs import read_start
from seclatch.tighten import run_tighten
from seclatch.tighten.further_filter import FurtherFilter, decode_program
from seclatch.tighten.process_facts import ProcessFacts
from seclatch.tighten.run_tighten import TightenOptions, TightenOutcome, count_ticks
from seclatch.tighten.tighten_container import TightenRequest
from seclatch.tighten.tighten_report import TightenReport
from seclatch.tighten.unprivileged import own_processes
from seclatch.tighten.unprivileged.inherited_filters import (
    JudgedProcesses,
    find_uncounted_threads,
    judge_processes,
)
from seclatch.tighten.unprivileged.own_processes import tighten_own_processes
from seclatch.tighten.unprivileged.present_filters import NamedFilter, choose_method, make_named

LOADS = [{"index": 0, "value": 22, "op": "SCMP_CMP_EQ"}]


def compile_denying(*rules: dict[str, object]) -> bytes:
    document = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": list(rules)}
    profile = parse_profile(json.dumps(document), "p.json")
    return compile_profile(profile, runtime=Runtime.RUNC).code


def deny(*names: str, **more: object) -> dict[str, object]:
    return {"names": list(names), "action": "SCMP_ACT_ERRNO", **more}


def present(*rules: dict[str, object]) -> list[NamedFilter]:
    return [make_named("the profile", compile_denying(*rules))]


def further(*rules: dict[str, object]) -> FurtherFilter:
    code = compile_denying(*rules)
    return FurtherFilter("new.json", code, 0, decode_program(code, "new.json"))


FACTS = [ProcessFacts(1, "x", Arch.native())]


def test_a_rehearsal_takes_root(tmp_path: Path) -> None:
    with pytest.raises(SeclatchError, match="by eBPF, which takes root"):
        tighten_own_processes(TightenRequest("no-such-container", tmp_path / "x"))


@pytest.mark.parametrize("name", ["mmap", "mprotect", "munmap", "prctl"])
def test_a_call_that_is_injected_is_denied(name: str) -> None:
    with pytest.raises(SeclatchError, match=f"the profile denies {name}.*nothing was touched"):
        choose_method(present(deny(name)), further(), FACTS)


def test_prctl_is_not_needed_where_no_new_privs_is_set() -> None:
    facts = [ProcessFacts(1, "x", Arch.native(), no_new_privs=True)]
    assert not choose_method(present(deny("prctl")), further(), facts).by_prctl


def test_how_a_filter_can_be_loaded() -> None:
    plain = choose_method(present(), further(deny("seccomp", "prctl", "mmap")), FACTS)
    assert (plain.by_prctl, plain.restarts) == (False, True)
    assert choose_method(present(deny("seccomp")), further(), FACTS).by_prctl
    # a rule about the flags is not followed: prctl(2) has none
    listener = [{"index": 1, "value": 8, "valueTwo": 8, "op": "SCMP_CMP_MASKED_EQ"}]
    with pytest.raises(SeclatchError) as raised:
        choose_method(present(deny("seccomp"), deny("prctl", args=LOADS)), further(), FACTS)
    assert "seccomp(SECCOMP_SET_MODE_FILTER)" in str(raised.value)
    assert "prctl(PR_SET_SECCOMP)" in str(raised.value)
    assert choose_method(present(deny("seccomp", args=listener)), further(), FACTS).by_prctl
    for filters in (
        (present(deny("restart_syscall")), further()),
        (present(), further(deny("restart_syscall"))),
    ):
        assert not choose_method(*filters, FACTS).restarts


def test_the_new_profile_must_allow_what_comes_after_it() -> None:
    with pytest.raises(SeclatchError, match=r"new\.json denies munmap"):
        choose_method(present(), further(deny("munmap")), FACTS)


@pytest.fixture
def child() -> Iterator[int]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


def own_filters() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Seccomp_filters")).split()[1])


def test_processes_by_record_descent_and_count(child: int, tmp_path: Path) -> None:
    count, code = own_filters(), b"8 bytes."
    unbound = judge_processes([child], code, count, tmp_path / "none")
    assert (unbound.bound, unbound.unbound, unbound.count) == ((), (child,), count)
    with pytest.raises(SeclatchError, match=rf"{child} \(sleep\): {count}"):
        judge_processes([child], code, count + 1, tmp_path / "none")


def test_one_filter_more_than_counted_is_no_bound_thread(child: int) -> None:
    count = own_filters()
    assert find_uncounted_threads([child], count) == ([child], [])
    for other in (count - 1, count + 1):
        assert find_uncounted_threads([child], other) == ([], [child])


INHERITING = """
import ctypes, os, subprocess, sys
from pathlib import Path
from seclatch.errors import SeclatchError
from seclatch.process.tightened_records import write_tightened
from seclatch.system.procfs import read_start, read_status
from seclatch.tighten.unprivileged.inherited_filters import find_unbound, judge_processes

folder, later = Path(sys.argv[1]), int(sys.argv[2])
allow = ctypes.create_string_buffer(bytes.fromhex("060000000000ff7f"))
program = (ctypes.c_size_t * 2)(1, ctypes.addressof(allow))
libc = ctypes.CDLL(None, use_errno=True)
assert not libc.prctl(38, 1, 0, 0, 0), ctypes.get_errno()
count = read_status(os.getpid()).filters
assert not libc.prctl(22, 2, program), ctypes.get_errno()
child = subprocess.Popen(["sleep", "60"])
try:
    assert read_status(child.pid).filters == count + 1
    own = [(os.getpid(), read_start(os.getpid()))]
    write_tightened(own, b"8 bytes.", folder, loaded=read_start(child.pid) + later)
    unbound = find_unbound([child.pid], b"8 bytes.", count, folder)
    print("bound" if not unbound else "unbound")
    judged = judge_processes([child.pid], b"8 bytes.", count, folder)
    print(judged.bound == (child.pid,) and judged.unbound == ())
except SeclatchError:
    print("refused")
finally:
    child.kill()
"""


@pytest.mark.parametrize(("later", "answer"), [(-2, "bound\nTrue"), (0, "unbound\nrefused")])
def test_a_child_has_inherited_what_was_loaded_before_it(
    tmp_path: Path, later: int, answer: str
) -> None:
    """One from before that with as many filters has loaded its own."""
    words = [sys.executable, "-c", INHERITING, str(tmp_path / "records"), str(later)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{answer}\n", "")


@pytest.mark.parametrize("ends", [True, False])
def test_one_created_before_its_creator_was_bound_is_reported(
    child: int, monkeypatch: pytest.MonkeyPatch, *, ends: bool
) -> None:
    """The others of the target were bound before: it is in no list of that run."""
    own, count = os.getpid(), own_filters()
    target = SimpleNamespace(first=SimpleNamespace(pid=own))
    further = SimpleNamespace(code=b"8 bytes.")
    done = TightenOutcome((), touched=True, settled=True)
    made = TightenReport("x", "p", "", done, {}, "")
    prepared = SimpleNamespace(present=False, further=further)
    lists = [[own], [own, child], [own] if ends else [own, child]]
    for name, answer in (
        ("require_supported_architecture", None),
        ("find_tighten_target", target),
        ("require_traceable", None),
        ("compile_for_target", further),
        ("read_configured_filters", [()] * count),
        ("judge_processes", JudgedProcesses((own,), (1,), count, ())),
        ("_choose_options", TightenOptions(wait=0.0 if not ends else 60.0)),
        ("_select_unbound", target),
        ("prepare_filter", prepared),
        ("put_on_own", made),
    ):
        monkeypatch.setattr(own_processes, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr(own_processes, "list_target_pids", lambda _: lists.pop(0))
    report = tighten_own_processes(TightenRequest("x", Path("p"), rehearsal=0.0))
    assert report.outcome.complete == ends
    found = [(each.pid, each.reason) for each in report.outcome.processes]
    assert found == ([] if ends else [(child, "missed")])
    assert ends or report.names == {child: "sleep"}


def test_a_killed_helper_has_loaded_until_now() -> None:
    """What was created before it was killed is not known to have inherited anything."""
    before = count_ticks()
    killed = subprocess.CompletedProcess[bytes]([], -9, b"", b"")
    assert before <= run_tighten._read_outcome(killed).loaded <= count_ticks()
    assert before >= read_start(os.getpid())
