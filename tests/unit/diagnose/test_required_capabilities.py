"""Calls that also need a capability."""

from __future__ import annotations

import shlex
from dataclasses import replace

import msgspec
import pytest

from seclatch.diagnose.remedies.find_remedies import find_remedies
from seclatch.diagnose.remedies.required_capabilities import find_options, find_taken
from seclatch.model.capability import parse_capability
from seclatch.model.explanation import DenyingRule, Remedy
from tests.unit.diagnose.runs import Run, make_fixer

DOCKER_S = 0xA80425FB  # what a container has by default
SYS_ADMIN = 1 << 21
NO_ARGS = (0,) * 6


def held(effective: int, bounding: int | None = None) -> tuple[int, ...]:
    return (0, effective, effective, effective if bounding is None else bounding, 0)


def remedies(call: str, command: str, mask: int) -> list[Remedy]:
    """Return the remedies if the container of an engine was denied a call."""
    run = Run(*command.split())
    program = run.exec(run.root, "x")
    run.is_refused(program, call)
    run.calls(program, "exit_group")
    run.ends(program, 1)
    found = run.cause()
    assert found.case
    denial = msgspec.structs.replace(found.case.denial, rule=DenyingRule(by="default", text=""))
    case = replace(found.case, denial=denial, held=held(mask))
    words = command.split()
    return find_remedies(replace(found, case=case), None, words, make_fixer(words, case))


@pytest.mark.parametrize(
    ("call", "name"),
    [("mount", "SYS_ADMIN"), ("sethostname", "SYS_ADMIN"), ("acct", "SYS_PACCT"), ("mkdir", "")],
)
def test_capability_of_a_call(call: str, name: str) -> None:
    assert find_taken(call, NO_ARGS, held(DOCKER_S)) == (parse_capability(name) if name else "")
    assert find_taken(call, NO_ARGS, held(~0)) == find_taken(call, NO_ARGS, ()) == ""


def test_capability_that_opens_least_comes_first() -> None:
    assert [each.capability for each in find_options("bpf", held(DOCKER_S))] == [
        "CAP_BPF",
        "CAP_SYS_ADMIN",
    ]
    assert find_options("mount", held(DOCKER_S, bounding=SYS_ADMIN)) == []


@pytest.mark.parametrize(
    ("command", "after"),
    [
        ("docker run --rm x", "docker run --cap-add SYS_ADMIN --rm x"),
        ("podman create x", "podman create --cap-add SYS_ADMIN x"),
        (
            "docker run --security-opt seccomp=builtin x",
            "docker run --cap-add SYS_ADMIN --security-opt seccomp=builtin x",
        ),
        ("docker run --security-opt seccomp=a.json x", ""),
        ("runc run x", ""),
    ],
)
def test_the_engine_s_option(command: str, after: str) -> None:
    found = remedies("mount", command, DOCKER_S)
    [rule] = [each for each in found if each.kind == "rules"]
    assert "takes CAP_SYS_ADMIN as well" in rule.text
    given = [shlex.join(each.command) for each in found if each.command and not each.then]
    assert given == ([after] if after else [])
    if after:
        assert found[0].opens and "umount2" in found[0].opens[1]


def test_held_capability_needs_only_the_rule() -> None:
    found = remedies("mount", "docker run x", DOCKER_S | SYS_ADMIN)
    assert not any("CAP_" in each.text for each in found)


def test_engine_s_option_for_a_call_without_a_capability() -> None:
    [rule, option, *_] = remedies("unshare", "docker run x", DOCKER_S)
    assert "CAP_SYS_ADMIN, which unshare may need" in option.text
    assert "CAP_" not in rule.text


DAC_OVERRIDE, SYS_PTRACE = 1 << 1, 1 << 19


@pytest.mark.parametrize(
    ("mask", "cause", "summary"),
    [
        (DAC_OVERRIDE, "missing-capability", "CAP_SYS_PTRACE is missing for openat"),
        (DAC_OVERRIDE | SYS_PTRACE, "permissions", "a file's owner or mode forbids it"),
        (0, "permissions", "a file's owner or mode forbids it"),
    ],
)
def test_another_user_s_process(mask: int, cause: str, summary: str) -> None:
    run = Run("cat", "/proc/6/environ")
    program = run.exec(run.root, "cat")
    segment = run.trace.segments[program]
    segment.facts = replace(segment.facts, capabilities=held(mask))
    run.fails(program, "openat", 13, "/proc/6/environ")
    run.tells(program, "cat: /proc/6/environ: Permission denied")
    run.ends(program, 1)
    found = run.cause()
    assert (found.cause, found.summary.partition(":")[0]) == (cause, summary)


def test_a_call_that_a_message_names_anywhere() -> None:
    run = Run("strace", "-p", "6")
    program = run.exec(run.root, "strace")
    run.fails(program, "ptrace", 1)
    run.tells(program, "strace: attach: ptrace(PTRACE_SEIZE, 6): Operation not permitted")
    run.ends(program, 1)
    found = run.cause()
    assert found.summary.startswith("CAP_SYS_PTRACE is missing for ptrace: ")
