"""`profile diff` for a pull request: read back by a parser of Markdown and one of SARIF."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from sarif_pydantic import Sarif

from seclatch.cli.profile.diff import command
from seclatch.cli.profile.diff_formats import write_markdown
from seclatch.model.arch import Arch
from seclatch.profile.meaning.diff_profiles import CallChange, CallEffect, ProfileDifference
from seclatch.profile.meaning.wider_change import is_wider

ALLOW = "SCMP_ACT_ALLOW"


def write_profile(path: Path, *names: str, action: str = ALLOW) -> Path:
    rules = [{"names": [name], "action": action} for name in names]
    document = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}
    path.write_text(json.dumps(document, indent=1))
    return path


@pytest.fixture
def less(tmp_path: Path) -> Path:
    return write_profile(tmp_path / "less.json", "read", "exit")


@pytest.fixture
def more(tmp_path: Path) -> Path:
    return write_profile(tmp_path / "more.json", "read", "exit", "ptrace")


def diff(*args: object) -> Result:
    return CliRunner().invoke(command, ["--runtime", "crun", *map(str, args)])


@pytest.mark.parametrize(
    ("option", "wider", "narrower", "same"),
    [((), 1, 1, 0), (("--fail-on", "wider"), 1, 0, 0), (("--fail-on", "never"), 0, 0, 0)],
)
def test_exit_status(
    less: Path, more: Path, option: tuple[str, ...], wider: int, narrower: int, same: int
) -> None:
    assert diff(*option, less, more).exit_code == wider
    assert diff(*option, more, less).exit_code == narrower
    assert diff(*option, less, less).exit_code == same


def test_an_answer_that_changes_is_not_wider(tmp_path: Path) -> None:
    errno = write_profile(tmp_path / "errno.json", "read")
    killed = write_profile(tmp_path / "kill.json", "ptrace", action="SCMP_ACT_KILL_PROCESS")
    plain = write_profile(tmp_path / "plain.json")
    assert diff("--fail-on", "wider", killed, plain).exit_code == 0
    assert diff("--fail-on", "wider", plain, errno).exit_code == 1


def test_an_argument_more_is_wider(tmp_path: Path) -> None:
    rule = {
        "names": ["ioctl"],
        "action": ALLOW,
        "args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}],
    }
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}))
    rule["args"] = [{"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]
    after.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}))
    assert diff("--fail-on", "wider", before, after).exit_code == 1
    found = json.loads(diff("--format", "sarif", before, after).output)["runs"][0]["results"]
    assert [result["ruleId"] for result in found] == ["arguments-allowed"]


def test_sarif_is_valid_and_points_at_the_rule(less: Path, more: Path) -> None:
    log = Sarif.model_validate_json(diff("--format", "sarif", less, more).output)
    (result,) = log.runs[0].results
    assert (result.rule_id, result.level.value) == ("call-allowed", "error")
    place = result.locations[0].physical_location
    assert place.artifact_location.uri == os.path.relpath(more)
    lines = more.read_text().splitlines()
    assert lines[place.region.start_line - 1].strip() == "{"
    assert '"ptrace"' in "".join(lines[place.region.start_line - 1 : place.region.start_line + 3])


def test_markdown_names_the_verdict(less: Path, more: Path) -> None:
    assert diff("--format", "markdown", less, more).output.startswith("### Seccomp profile")
    assert ": wider\n" in diff("--format", "markdown", less, more).output
    assert ": not wider\n" in diff("--format", "markdown", more, less).output
    assert "means the same" in diff("--format", "markdown", less, less).output


def read_cells(text: str) -> list[list[str]]:
    """Rows of the table as a parser of GitHub's Markdown reads them, without its heading."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    rows: list[list[str]] = []
    for token in tokens:
        assert token.type != "html_block"
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows and token.level == 4:
            inline = token.children or []
            assert {child.type for child in inline} <= {
                "text",
                "code_inline",
                "strong_open",
                "strong_close",
                "html_inline",
            }
            assert all(c.content == "<br>" for c in inline if c.type == "html_inline")
            rows[-1].append("".join(child.content for child in inline))
    return rows[1:]


@given(st.text(min_size=1, max_size=60), st.text(max_size=60))
def test_no_name_leaves_its_cell(name: str, clause: str) -> None:
    change = CallChange(name, (Arch.X86_64,), CallEffect.ALLOWED, (clause, "b"), ("c",))
    found = ProfileDifference((), (), (change,))
    assert is_wider(found)
    (row,) = read_cells(write_markdown("before", "after", found))
    assert len(row) == 5
    assert row[1:3] == ["newly allowed", "x86_64"]
    assert row[4] == "c"


@pytest.mark.parametrize(
    "name", ["a|b", "`a|<script>", "\\|", "a`|`", "<img src=x>", "@all\n| x |"]
)
def test_hostile_names_stay_in_code(name: str) -> None:
    change = CallChange(name, (Arch.X86_64,), CallEffect.DENIED, ("a",), ("b",))
    (row,) = read_cells(write_markdown(name, name, ProfileDifference((), (), (change,))))
    assert len(row) == 5


def assert_wider(before: Path, after: Path, *options: str) -> None:
    """Each format says it, and the exit status; the other way round it is not wider."""
    assert diff("--fail-on", "wider", *options, before, after).exit_code == 1
    assert ": wider\n" in diff("--format", "markdown", *options, before, after).output
    log = Sarif.model_validate_json(diff("--format", "sarif", *options, before, after).stdout)
    assert [r for r in log.runs[0].results if r.level.value in ("error", "warning")]
    assert diff("--fail-on", "wider", *options, before, before).exit_code == 0


@pytest.mark.parametrize("action", ["SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE"])
def test_what_an_agent_or_tracer_may_let_pass_is_wider(tmp_path: Path, action: str) -> None:
    before = write_profile(tmp_path / "before.json", "read")
    after = tmp_path / "after.json"
    document = json.loads(before.read_text())
    document["syscalls"].append({"names": ["mount"], "action": action})
    document["listenerPath"] = "/run/agent.sock" if "NOTIFY" in action else ""
    after.write_text(json.dumps(document))
    assert_wider(before, after)


def test_an_answer_of_success_is_wider(tmp_path: Path) -> None:
    """setuid(2) that returns 0 and does nothing leaves a program its privileges."""
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    rule = {"names": ["setuid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 0}
    document = json.loads(write_profile(before, "read").read_text())
    after.write_text(json.dumps(document | {"syscalls": [*document["syscalls"], rule]}))
    assert_wider(before, after)
    assert diff("--fail-on", "wider", after, before).exit_code == 0
    after.write_text(json.dumps(document | {"defaultErrnoRet": 0}))
    assert_wider(before, after)


def test_another_agent_is_wider(tmp_path: Path) -> None:
    files = []
    for agent in ("one", "other"):
        file = write_profile(tmp_path / f"{agent}.json", "mount", action="SCMP_ACT_NOTIFY")
        document = json.loads(file.read_text()) | {"listenerPath": f"/run/{agent}.sock"}
        file.write_text(json.dumps(document))
        files.append(file)
    assert_wider(*files)


def test_a_name_that_is_not_known_here_is_wider(tmp_path: Path) -> None:
    before = write_profile(tmp_path / "before.json", "read")
    assert_wider(before, write_profile(tmp_path / "after.json", "read", "frobnicate2027"))


@pytest.mark.parametrize("only", [{"caps": ["CAP_SYS_ADMIN"]}, {"arches": ["arm64"]}])
def test_a_rule_for_other_hosts_is_wider(tmp_path: Path, only: dict[str, list[str]]) -> None:
    before = write_profile(tmp_path / "before.json", "read")
    document = json.loads(before.read_text())
    document["syscalls"].append({"names": ["mount"], "action": ALLOW, "includes": only})
    after = tmp_path / "after.json"
    after.write_text(json.dumps(document))
    assert_wider(before, after, "--arch", "amd64")


def write_program(path: Path, *others: tuple[int, int]) -> Path:
    """Deny all of x86-64; answer calls of other ABIs (audit number) so; kill the rest."""
    code = [(0x20, 0, 0, 4), (0x15, 0, 1, 0xC000003E), (0x06, 0, 0, 0x00050001)]
    for audit, answer in others:
        code += [(0x15, 0, 1, audit), (0x06, 0, 0, answer)]
    code.append((0x06, 0, 0, 0x80000000))
    path.write_bytes(b"".join(struct.pack("<HBBI", *each) for each in code))
    return path


def test_an_abi_that_a_program_lets_pass_is_wider(tmp_path: Path) -> None:
    before = write_program(tmp_path / "before.bpf")
    for audit in (0x40000003, 0xC00000B7):  # i386, aarch64
        assert_wider(
            before,
            write_program(tmp_path / f"{audit}.bpf", (audit, 0x7FFF0000)),
            "--arch",
            "amd64",
        )
