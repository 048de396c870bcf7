"""Nothing is lost, nothing unrelated is added: counts equal those of strace in the same start."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seclatch.model.arch import Arch
from seclatch.model.recording.recording import LostCounts
from seclatch.recording import record_command
from seclatch.recording.recorder import RecordOptions
from seclatch.report.recording_progress import describe_recording
from tests.conftest import Compiler
from tests.latch.oci import Bundle, Runtime, case, running
from tests.record.conftest import Record
from tests.record.straced import differences

pytestmark = pytest.mark.root
MakeBundle = Callable[..., Bundle]

OF_X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="int 0x80 is of x86")
SHELL = "for i in 1 2 3; do /bin/true & done; wait; (exec /bin/true); /bin/true | /bin/cat"


@pytest.mark.parametrize(
    "words",
    [
        ["sh", "-c", SHELL],
        ["sh", "-c", "echo 'int main(void){return 0;}' > $0.c && gcc -o $0 $0.c && $0"],
        ["sh", "-c", "nonleader=$1; $nonleader /bin/true"],
        ["sh", "-c", "$2 /bin/true"],
        ["sh", "-c", f"{sys.executable} -c '{{}}'"],
        pytest.param(["sh", "-c", "$3"], marks=OF_X86),
    ],
    ids=["shell", "gcc", "nonleader exec", "vfork", "threads", "compat"],
)
def test_counts_are_those_of_strace(
    record: Record, compiler: Compiler, tmp_path: Path, words: list[str]
) -> None:
    threads = "import threading as t; [t.Thread(target=print).start() for _ in range(9)]"
    words = [*words[:2], words[2].replace("{}", threads)]
    names = ["nonleader_exec", "vforks", *["compat_calls"] * (platform.machine() == "x86_64")]
    programs = map(compiler, names)
    done = record([*words, tmp_path / "a", *programs], straced=True, all_program=True)
    assert done.log and len(done.log.counts) > 1
    assert differences(done.log, done.recording) == {}


def test_counts_of_a_start_are_those_of_strace(
    record: Record, plain: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    made = bundle(
        ["/bin/sh", "-c", "/bin/true; exec /bin/true"],
        seccomp=allow_most(),
        no_new_privileges=no_new_privileges,
    )
    done = record(plain.argv("run", "--bundle", made.path, made.id), straced=True)
    assert done.log
    assert differences(done.log, done.recording) == {}
    phases = {phase for _, phase in done.log.counts}
    assert phases == {0, 1, 2}
    stages = done.stages()
    assert all(stages[each] for each in ("runtime", "filtered-init", "program"))


def test_counts_of_an_exec_session_are_those_of_strace(
    record: Record, plain: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    made = bundle(["/bin/sleep", "100"], seccomp=allow_most(), no_new_privileges=no_new_privileges)
    flags = ["--no-new-privs"] if no_new_privileges else []
    with running(plain, made):
        done = record(plain.argv("exec", *flags, made.id, "/bin/true"), straced=True)
    assert done.log
    assert differences(done.log, done.recording) == {}
    assert [each.joined for each in done.recording.sessions] == [True]


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        (["nonleader_exec", "/bin/true"], {"getppid": 5, "execve": 1}),
        (["vforks", "/bin/true"], {"execve": 20}),
        (["compat_calls"], {"getpid": 7}),
    ],
    ids=["nonleader exec", "vfork", "compat"],
)
def test_difficult_programs_in_a_container_have_the_stage_program(
    record: Record,
    plain: Runtime,
    bundle: MakeBundle,
    compiler: Compiler,
    rootfs: Path,
    words: list[str],
    counts: dict[str, int],
) -> None:
    shutil.copy(compiler(words[0]), rootfs / "bin")
    compat = words == ["compat_calls"]
    if compat and platform.machine() != "x86_64":
        pytest.skip("int 0x80 is of x86")
    both = {"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]} if compat else {}
    made = bundle([f"/bin/{words[0]}", *words[1:]], seccomp=allow_most() | both)
    done = record(plain.argv("run", "--bundle", made.path, made.id), straced=True)
    assert done.log
    assert differences(done.log, done.recording) == {}
    made_calls = done.calls("program")
    assert {name: made_calls[name] for name in counts} == counts
    arches = {
        each.arch
        for each in done.recording.calls
        if each.name in counts and each.stage == "program"
    }
    assert arches == ({"x86"} if compat else {Arch.native().title})


def test_a_failing_start_shows_denied_calls(
    record: Record, plain: Runtime, bundle: MakeBundle
) -> None:
    made = bundle(["/bin/true"], seccomp=case("stali-like"))
    words = plain.argv("run", "--bundle", made.path, made.id)
    done = record(words, straced=True, check=False)
    plain("delete", "--force", made.id)
    assert done.log and done.done.returncode != 0
    assert differences(done.log, done.recording) == {}
    assert {each.stage for each in done.recording.denials} == {"filtered-init"}


def repeat_true(times: int) -> list[str]:
    return ["sh", "-c", f"i=0; while [ $i -lt {times} ]; do /bin/true; i=$((i+1)); done"]


def test_a_thousand_short_processes_are_those_of_strace(record: Record) -> None:
    done = record(repeat_true(1000), straced=True, all_program=True)
    assert done.log and len(done.log.counts) == 1001
    assert differences(done.log, done.recording) == {}


def test_more_short_processes_than_slots(record: Record) -> None:
    """Each has two segments; of the 4,096 slots 1,024 are those of engines."""
    done = record(repeat_true(1700))
    assert done.recording.lost == LostCounts()
    trues = [
        each
        for each in done.recording.processes
        if each.images and each.images[0].exe == "/bin/true"
    ]
    assert len(done.recording.processes) == 1701
    assert len(trues) == 1700
    counts = {
        tuple(
            (call.name, call.count)
            for call in done.recording.calls
            if call.process == each.id and call.name in ("execve", "exit_group", "mmap")
        )
        for each in trues
    }
    assert len(counts) == 1


def test_other_processes_never_appear(record: Record) -> None:
    noise = subprocess.Popen(["sh", "-c", "while :; do /bin/true; done"])
    try:
        done = record(["sh", "-c", "/bin/sleep 0.3"])
    finally:
        noise.kill()
        noise.wait()
    assert len(done.recording.processes) == 2
    assert [each.images[-1].argv[0] for each in done.recording.processes] == ["sh", "/bin/sleep"]


@OF_X86
def test_compat_calls_are_counted_by_their_own_numbers(record: Record, compiler: Compiler) -> None:
    done = record([compiler("compat_calls")])
    compat = [each for each in done.recording.calls if each.arch == "x86"]
    assert [(each.name, each.number, each.count) for each in compat] == [("getpid", 20, 7)]
    assert "writev" not in done.calls("program")


def test_an_overflow_of_kernel_maps_is_reported(compiler: Compiler) -> None:
    """Its maps have 65,536 entries for rare calls, and as many for arguments."""
    command = (str(compiler("too_many")),)
    recording = record_command.record_command(command, RecordOptions(backend="ebpf"))[1]
    kept = sum(each.count for each in recording.calls if each.number >= 1000)
    assert kept + recording.lost.calls == 70_000 > kept
    assert sum(each.count for each in recording.calls if each.name == "ioctl") == 70_000
    values = sum(each.count for each in recording.arguments if each.name == "ioctl")
    assert values + recording.lost.arguments == 70_000 > values
    message = list(describe_recording(recording, "x"))
    assert f"{recording.lost.calls:,} calls cannot be told" in message[1]
    assert f"{recording.lost.arguments:,} arguments were not kept" in message[2]


def allow_most() -> dict[str, object]:
    """Return a filter that denies no call that matters here."""
    rule = {"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO"}
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
