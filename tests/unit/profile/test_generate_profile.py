from __future__ import annotations

from typing import Any

import pytest

from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.model.action import ENOSYS, EPERM, Operator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Arg, Condition, Profile, Rule
from seclatch.model.recording.origin import Software
from seclatch.model.recording.recording import (
    LostCounts,
    RecordedArgument,
    RecordedDenial,
    Recording,
)
from seclatch.model.seccomp_data import SeccompData
from seclatch.model.stage import Stage
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.generate.arguments.narrow_arguments import MAX_VALUES
from seclatch.profile.generate.complete_profile import log_instead
from seclatch.profile.generate.generate_profile import GeneratorOptions, generate_profile
from seclatch.profile.generate.plain_runtime_calls import read_measured_calls
from tests.unit.recordings import calls, recording

START = (
    calls("init", "mount")
    + calls("filtered-init", "close execve futex")
    + calls("program", "read write exit_group")
)


def names(profile: Profile) -> set[str]:
    return {name for rule in profile.rules for name in rule.names}


def made(
    entries: list[Any] = START, *, more: dict[str, Any] | None = None, **options: Any
) -> Profile:
    return generate_profile(recording(entries, **(more or {})), GeneratorOptions(**options)).profile


def test_the_latch_s_profile_has_the_program_s_calls_alone() -> None:
    profile = made()
    assert names(profile) == {"read", "write", "exit_group"}
    assert (profile.default_action, profile.default_errno) == ("SCMP_ACT_ERRNO", 1)
    assert [arch.title for arch in profile.architectures] == ["x86_64"]
    [rule] = profile.rules
    assert "runc run x" in rule.comment
    assert "Linux 6.12" in rule.comment


def test_from_an_earlier_stage() -> None:
    assert names(made(first=Stage.FILTERED_INIT)) >= {"execve", "read"}
    assert "mount" not in names(made(first=Stage.FILTERED_INIT))
    assert "mount" in names(made(first=Stage.INIT))


def test_a_plain_runtime_s_needs_are_marked_apart() -> None:
    profile = made(plain="runc")
    program, runtime = profile.rules
    assert set(program.names) == {"read", "write", "exit_group"}
    assert set(runtime.names) >= {"close", "execve", "futex", "rt_sigreturn", "capset"}
    assert not set(runtime.names) & set(program.names)
    assert "runc itself" in runtime.comment
    # recorded under runc: contains no data on crun
    assert "futex" not in made(plain="crun").rules[1].names


def test_other_abis_only_if_used() -> None:
    compat = [
        *calls("program", "read"),
        *(
            type(each)(process=0, stage="program", arch="x86", number=20, name="getpid", count=1)
            for each in calls("program", "read")
        ),
    ]
    assert [arch.title for arch in made(compat).architectures] == ["x86_64", "x86"]


def argument(name: str, index: int, value: int, stage: str = "program") -> RecordedArgument:
    return RecordedArgument(
        stage=stage, arch="x86_64", name=name, index=index, value=value, count=1
    )


def test_arguments_are_compared_as_ints() -> None:
    more = {
        "arguments": [
            argument("socket", 0, 1),
            argument("socket", 0, 0xFFFFFFFF00000002),  # the upper half is ignored
            argument("socket", 1, 5),
            argument("socket", 0, 16, "runtime"),
            argument("mmap", 2, 3),
        ]
    }
    profile = made(calls("program", "socket mmap read"), more=more, narrow=True)
    whole, *narrow = profile.rules
    assert whole.names == ("read",)
    assert [(rule.names[0], str(rule.args[0])) for rule in narrow] == [
        ("mmap", "arg2 & 0x4 == 0x0"),
        ("socket", "arg0 & 0xffffffff == 0x1"),
        ("socket", "arg0 & 0xffffffff == 0x2"),
    ]


def test_arguments_that_cannot_be_narrowed_are_all_allowed() -> None:
    many = [argument("ioctl", 1, value) for value in range(MAX_VALUES + 1)]
    executable = [argument("mprotect", 2, 5)]
    profile = made(
        calls("program", "ioctl mprotect prctl"), more={"arguments": many + executable}, narrow=True
    )
    [rule] = profile.rules
    assert set(rule.names) == {"ioctl", "mprotect", "prctl"}


def test_a_plain_runtime_s_calls_are_not_narrowed() -> None:
    more = {"arguments": [argument("prctl", 0, 15)]}
    profile = made(calls("program", "prctl"), more=more, narrow=True, plain="runc")
    assert all(not rule.args for rule in profile.rules)


def test_portable_adds_twins_and_clone3_can_be_refused() -> None:
    entries = calls("program", "newfstatat clone3")
    profile = made(entries, portable=True)
    assert names(profile) >= {"stat", "statx", "clone", "rt_sigreturn", "restart_syscall"}
    refusing = made(entries, portable=True, refuse_clone3=True)
    rules = [rule for rule in refusing.rules if "clone3" in rule.names]
    assert [(rule.action, rule.errno) for rule in rules] == [("SCMP_ACT_ERRNO", 38)]
    assert "clone" in names(refusing)


def test_audit_profiles_log() -> None:
    trial = log_instead(made())
    assert trial.default_action == "SCMP_ACT_LOG" and trial.rules == made().rules


def test_warnings() -> None:
    denial = RecordedDenial(
        process=0, stage="program", arch="x86_64", number=83, name="mkdir", errno=1, count=2
    )
    fallback = RecordedDenial(
        process=0, stage="program", arch="x86_64", number=435, name="clone3", errno=38, count=2
    )
    unnamed = [
        type(each)(process=0, stage="program", arch="x86_64", number=999, name="", count=1)
        for each in calls("program", "read")
    ]
    result = generate_profile(
        recording(
            START + unnamed, denials=[denial, fallback], complete=False, lost=LostCounts(events=1)
        ),
        GeneratorOptions(),
    ).warnings
    assert [
        any(word in line for line in result)
        for word in (
            "mkdir (EPERM)",
            "number 999",
            "interrupted",
            "not whole",
        )
    ] == [True] * 4
    assert not any("clone3" in line for line in result), (
        "programs do without: nothing is to be done"
    )


def test_a_recording_without_the_stage() -> None:
    empty: Recording = recording(calls("client", "read"))
    with pytest.raises(ValueError, match="program"):
        generate_profile(empty, GeneratorOptions())


BASE = Profile(
    "SCMP_ACT_ERRNO",
    (
        Rule(("read", "close"), "SCMP_ACT_ALLOW"),
        Rule(("clone3",), "SCMP_ACT_ERRNO", 38),
        Rule(("socket",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.EQ, 1),)),
        Rule(("mount",), "SCMP_ACT_ALLOW", includes=Condition(caps=("CAP_SYS_ADMIN",))),
    ),
    arch_map=((Arch.X86_64, (Arch.X86,)),),
    default_errno=1,
)


def test_a_base_is_extended_by_missing_calls() -> None:
    entries = calls("program", "read write mount clone3")
    result = generate_profile(recording(entries), GeneratorOptions(base=BASE))
    assert result.profile.rules[:4] == BASE.rules
    [added] = result.profile.rules[4:]
    # rules that apply to some containers only do not allow the call to this one
    assert added.names == ("mount", "write")
    assert "runc run x" in added.comment
    assert result.profile.arch_map == BASE.arch_map
    assert [line for line in result.warnings if "clone3" in line]


def test_a_base_s_sufficient_arguments_are_kept() -> None:
    def added(value: int, **options: Any) -> tuple[list[Any], tuple[str, ...]]:
        more = {"arguments": [argument("socket", 0, value)]}
        made = generate_profile(
            recording(calls("program", "socket"), **more), GeneratorOptions(base=BASE, **options)
        )
        return [
            (rule.names, *map(str, rule.args)) for rule in made.profile.rules[4:]
        ], made.warnings

    assert added(1) == ([], ())
    rules, warnings = added(2)
    assert rules == [(("socket",),)]
    assert any("socket for some arguments only" in line for line in warnings)
    assert added(2, narrow=True) == ([(("socket",), "arg0 & 0xffffffff == 0x2")], ())


def test_no_stub_gives_recent_calls_the_default_action() -> None:
    def errno(number: int, runtime: Runtime, **options: Any) -> int:
        profile = made(calls("program", "read exit_group"), **options)
        code = compile_profile(profile, runtime=runtime, native=Arch.X86_64).code
        return (
            simulate_filter(Filter.from_bytes(code), SeccompData(Arch.X86_64.audit, number)).value
            & 0xFFFF
        )

    newest = load_syscalls(Arch.X86_64).numbers["openat2"]
    assert errno(newest, Runtime.RUNC) == ENOSYS
    for runtime in (Runtime.RUNC, Runtime.CRUN):
        assert errno(newest, runtime, no_stub=True) == EPERM
    assert "clone3" not in names(made(no_stub=True)), "threads are made where it gets ENOSYS"
    # libraries fall back from calls of newer kernels
    assert errno(9999, Runtime.RUNC, no_stub=True) == ENOSYS


def test_another_version_of_a_runtime_than_the_measured_one() -> None:
    def warnings_of(version: str, runs: int = 1) -> tuple[str, ...]:
        software = [Software(stage="runtime", name="runc", path="/bin/runc", version=version)]
        made = recording(START, software=software, runs=runs)
        return generate_profile(made, GeneratorOptions(plain="runc")).warnings

    assert (
        warnings_of(read_measured_calls("runc").version)
        == warnings_of("")
        == warnings_of("runc version 7", 100)
        == ()
    )
    assert "runc version 7" in warnings_of("runc version 7")[0]
    assert generate_profile(recording(START, software=[]), GeneratorOptions()).warnings == ()
