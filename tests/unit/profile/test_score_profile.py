"""Scores of profiles: what is open, which vulnerabilities that reaches, and the table behind it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from seclatch.cli.main import cli
from seclatch.cli.profile.score import _read_layer
from seclatch.data import DATA
from seclatch.errors import InputError
from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.capability import ALL
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.resolve_profile import Host
from seclatch.profile.curated.kernel_cves import (
    CveCall,
    load_dangerous_arguments,
    load_kernel_cves,
)
from seclatch.profile.meaning.rule_meaning import read_meaning
from seclatch.profile.parse.profile_source import ProfileSource
from seclatch.profile.profile_input import give_program
from seclatch.profile.score.filter_stack import FilterStack, StackLayer
from seclatch.profile.score.score_profile import ProfileScore, score_profile

ALLOW = "SCMP_ACT_ALLOW"


def stack(*rules: Rule, default: str = "SCMP_ACT_ERRNO") -> FilterStack:
    profile = Profile(default, rules, (Arch.X86_64,))
    return FilterStack([StackLayer(read_meaning(profile, Arch.X86_64))])


def score(filters: FilterStack, *caps: str) -> ProfileScore:
    return score_profile("it", filters, Arch.X86_64, frozenset(caps), {"none": FilterStack(())})


def socket_rule(domain: int) -> Rule:
    return Rule(("socket",), ALLOW, args=(Arg(0, Operator.EQ, domain),))


def run(*words: str) -> dict[str, dict[str, Any]]:
    done = CliRunner().invoke(cli, ["profile", "score", "--json", *words])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    schema = json.loads((DATA / "schemas" / "profile-score-1.json").read_text())
    jsonschema.validate(document, schema)
    return {row["name"]: row for row in document["scores"]}


@pytest.mark.parametrize("name", ["kernel_cves", "arguments"])
def test_the_tables_have_their_shape(name: str) -> None:
    schema = json.loads((DATA / "schemas" / "score-data-1.json").read_text())
    jsonschema.validate(json.loads((DATA / "score" / f"{name}.json").read_text()), schema)


def test_the_table_s_rows_are_of_known_calls_and_have_a_source_each() -> None:
    table = load_kernel_cves()
    known = load_syscalls(Arch.X86_64)
    assert len(table.cves) >= 60
    assert len({row.cve for row in table.cves}) == len({row.source for row in table.cves})
    assert [row.cve for row in table.cves] == sorted(row.cve for row in table.cves)
    for row in table.cves:
        assert row.cve.startswith(f"CVE-{row.year}-")
        assert not row.capability or row.capability in ALL
        for step in row.needs:
            assert all(known.has(call.call) for call in step), row.cve
    assert all(known.has(row.call) for row in load_dangerous_arguments())


def test_nothing_is_reached_where_nothing_is_allowed_and_all_where_all_is() -> None:
    closed, opened = score(stack()), score(stack(default=ALLOW))
    assert (closed.open, closed.reached, closed.dangerous, closed.arguments) == (0, (), (), ())
    assert not opened.cut and len(opened.reached) == len(load_kernel_cves().cves)
    assert opened.open == opened.known and not opened.partly
    assert score(FilterStack(())) == opened


def test_one_denied_step_is_enough_and_is_named() -> None:
    row = "CVE-2022-0185"
    both = stack(Rule(("fsopen", "fsconfig"), ALLOW))
    assert row in score(both, "CAP_SYS_ADMIN").reached
    only = score(stack(Rule(("fsopen",), ALLOW)), "CAP_SYS_ADMIN")
    assert {cut.cve: cut.denied for cut in only.cut}[row] == ("fsconfig",)


def test_without_the_capability_a_user_namespace_is_needed() -> None:
    row = "CVE-2022-0185"
    mounts = Rule(("fsopen", "fsconfig"), ALLOW)
    without = {cut.cve: cut.denied for cut in score(stack(mounts)).cut}
    assert without[row] == ("unshare", "clone", "clone3")
    flags = Arg(0, Operator.MASKED_EQ, 0x7E020000, 0)
    threads = Rule(("clone",), ALLOW, args=(flags,))
    assert row not in score(stack(mounts, threads)).reached
    assert row in score(stack(mounts, Rule(("clone",), ALLOW))).reached


def test_arguments_decide() -> None:
    unix, netlink = score(stack(socket_rule(1))), score(stack(socket_rule(16)), "CAP_NET_ADMIN")
    assert (unix.open, unix.partly) == (1, 1)
    assert "CVE-2022-1015" not in unix.reached and "CVE-2022-1015" in netlink.reached
    assert "socket(AF_NETLINK, NETLINK_NETFILTER)" in netlink.arguments
    assert "socket(AF_VSOCK)" not in unix.arguments + netlink.arguments


def test_filters_that_bind_together_deny_what_any_of_them_denies() -> None:
    [one], [other] = stack(socket_rule(1)).layers, stack(socket_rule(16)).layers
    assert not FilterStack([one, other]).lets_pass(CveCall("socket", {"0": (1, 16)}))
    assert FilterStack([one]).lets_pass(CveCall("socket", {"0": (1, 16)}))


def test_a_call_of_which_rules_do_not_say_all_counts_as_open() -> None:
    [layer] = stack().layers
    unsure = StackLayer(layer.meaning, frozenset({("x86_64", "bpf")}))
    assert "CVE-2017-16995" in score(FilterStack([unsure])).reached


def test_a_profile_is_compared_with_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(
        '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","bpf"],"action":"SCMP_ACT_ALLOW"}]}'
    )
    rows = run("--arch", "x86_64", str(file))
    assert list(rows) == [str(file), "docker-default", "podman-default"]
    assert rows[str(file)]["wider"]["docker-default"] == ["bpf"]
    assert rows[str(file)]["dangerous"] == ["bpf"]
    assert "CVE-2022-1015" not in rows["docker-default"]["reached"]


def test_capabilities_open_docker_s_default() -> None:
    few, many = (
        run("--arch", "x86_64", *words, "docker-default")["docker-default"]
        for words in ([], ["--cap-add", "SYS_ADMIN", "--cap-add", "BPF"])
    )
    assert set(few["reached"]) < set(many["reached"])
    assert "CVE-2017-16995" in set(many["reached"]) - set(few["reached"])


def test_a_program_scores_as_the_profile_that_it_was_compiled_from(tmp_path: Path) -> None:
    program = tmp_path / "docker.bpf"
    words = ["profile", "compile", "--arch", "x86_64", "docker-default", "-o", str(program)]
    assert CliRunner().invoke(cli, words).exit_code == 0
    rows = run("--arch", "x86_64", str(program), "docker-default")
    alike = ("reached", "dangerous", "arguments", "partly")
    for key in alike:
        assert rows[str(program)][key] == rows["docker-default"][key], key


def test_the_table_is_for_people_too() -> None:
    done = CliRunner().invoke(cli, ["profile", "score", "--arch", "x86_64", "docker-default"])
    assert done.exit_code == 0, done.output
    total = len(load_kernel_cves().cves)
    assert f"/{total}" in done.stdout and "dangerous calls: " in done.stdout


def test_it_wants_something_to_score() -> None:
    done = CliRunner().invoke(cli, ["profile", "score"])
    assert done.exit_code == 2 and "FILE or --host" in done.output


@pytest.mark.parametrize("action", ["SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE"])
def test_what_an_agent_or_tracer_decides_counts_as_open(tmp_path: Path, action: str) -> None:
    file = tmp_path / "profile.json"
    default = {"defaultAction": action, "listenerPath": "/run/agent.sock"}
    file.write_text(json.dumps(default if "NOTIFY" in action else {"defaultAction": action}))
    row = run(str(file))[str(file)]
    assert row["open"] == row["known"]
    rule = {"names": ["mount"], "action": action}
    file.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}))
    assert run(str(file))[str(file)]["open"] == 1


def test_a_live_filter_for_other_abis_counts_by_its_answers_to_this_one() -> None:
    """As systemd's SystemCallFilter= loads them: one for each ABI, all others are allowed."""
    i386 = assemble_open_filter((0x15, 0, 3, Arch.X86.audit), (0x15, 0, 1, 5))
    x32 = assemble_open_filter(
        (0x15, 0, 4, Arch.X86_64.audit), (0x35, 0, 2, 0x40000000), (0x15, 0, 1, 0x40000002)
    )
    host = Host(Arch.X86_64)
    for code in (i386, x32):
        layer = _read_layer(code, host, {})
        assert layer.always_executes("open") and layer.always_executes("mount")
        with pytest.raises(InputError, match="is not for SCMP_ARCH_X86_64 but for"):
            give_program(ProfileSource("a file", code), host)
    own = assemble_open_filter((0x15, 0, 3, Arch.X86_64.audit), (0x15, 0, 1, 2))
    assert not _read_layer(own, host, {}).may_execute("open", {})


def assemble_open_filter(*comparisons: tuple[int, int, int, int]) -> bytes:
    """Return a program that denies one call after comparisons of the architecture and number."""
    arch, *number = comparisons
    denied, allowed = (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)
    program = [(0x20, 0, 0, 4), arch, (0x20, 0, 0, 0), *number, denied, allowed]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
