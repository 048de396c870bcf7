"""`seclatch profile test`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.profile_options import (
    FILE,
    PROFILE,
    host_from,
    host_options,
    read_given_profile,
)
from seclatch.cli.shared.result_output import print_warnings, require_stdout
from seclatch.errors import InputError
from seclatch.filter.classic_bpf.simulate import UNASKED
from seclatch.filter.expected_verdicts import RowResult, parse_table, run_table
from seclatch.filter.query_filter import QueryAnswer, query_filter
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall, parse_call
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import format_comparisons
from seclatch.model.profile.rule_match import find_matching_rules
from seclatch.output.printable_text import make_printable
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.parse.load_profile import BYTE_ORDER_MARK
from seclatch.profile.parse.profile_source import read_source
from seclatch.profile.profile_input import ProfileInput


@click.command(name="test")
@click.argument("file", type=PROFILE)
@click.argument("calls", nargs=-1, metavar="[CALL]...")
@click.option("--table", type=FILE, help="Check the verdicts that this file expects.")
@click.option(
    "--runtime",
    type=click.Choice([runtime.value for runtime in Runtime]),
    default=Runtime.RUNC.value,
    show_default=True,
    help="Who compiles the profile.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, schema profile-verdicts/1.")
@host_options
def command(
    file: Path,
    calls: tuple[str, ...],
    table: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Tell what the profile in FILE does with calls, and by which rule of the file.

    CALL is written as in C: `socket(AF_INET, 1, 0)`. An argument that is `_` or not written is
    open; if it matters, every possible answer is given.

    A table has a line for each expectation: architecture, call and action. Any other answer, and
    one that depends on an open argument, is a failure: the exit status is then 1.

    FILE may be a raw BPF program too; it is then asked as it is, whatever --runtime says.

    \b
    Examples:
      seclatch profile test strict.json 'openat(AT_FDCWD, …)' 'clone(CLONE_NEWUSER)'
      seclatch profile test strict.json --table expected.txt
    """
    if bool(calls) == bool(table):
        raise click.UsageError("give either calls or --table")
    require_stdout()
    host = host_from(options)
    found = read_given_profile(file, host)
    program = found.program or _compile(found, Runtime(options["runtime"]), host.arch)
    if table is not None:
        return _table(program, table, as_json)
    _calls(found, program, [_asked(call, host.arch) for call in calls], as_json)
    return 0


def _compile(found: ProfileInput, runtime: Runtime, arch: Arch) -> Filter:
    code = compile_profile(found.profile, runtime=runtime, native=arch).code
    return Filter.from_bytes(code, "little" if arch.little else "big")


def _asked(text: str, arch: Arch) -> AskedCall:
    try:
        return parse_call(text, arch)
    except ValueError as error:
        raise InputError("the call", text, str(error)) from error


def _calls(found: ProfileInput, program: Filter, calls: Sequence[AskedCall], as_json: bool) -> None:
    """Answer each call, with the rules behind each answer."""
    answered = [(asked, query_filter(program, asked)) for asked in calls]
    for asked in calls:
        if asked.syscall.arch is Arch.X86_64 and asked.syscall.number in UNASKED:
            what = UNASKED[asked.syscall.number]
            print_warnings(asked.text, [f"the kernel asks no filter about this call ({what})"])
    if as_json:
        documents = [
            _call_document(asked)
            | {"answers": [_answer_document(found, asked, one) for one in answers]}
            for asked, answers in answered
        ]
        click.echo(json.dumps({"schema": "seclatch.profile-verdicts/1", "calls": documents}))
        return
    for asked, answers in answered:
        for answer in answers:
            where = f" where {answer.condition}" if answer.condition else ""
            click.echo(f"{make_printable(asked.text)}: {answer.action}{where}")
            click.echo(f"  by {_reason(found, asked, answer)}")


def _table(program: Filter, table: Path, as_json: bool) -> int:
    """Check each row; the exit status."""
    source = read_source(table)
    results = list(
        run_table(program, parse_table(source.text().removeprefix(BYTE_ORDER_MARK), source.name))
    )
    failed = [result for result in results if not result.passed]
    if as_json:
        rows = [_row_document(result) for result in results]
        click.echo(json.dumps({"schema": "seclatch.profile-verdicts/1", "rows": rows}))
    else:
        for result in failed:
            row = result.row
            got = ", ".join(_show(answer) for answer in result.answers)
            place = f"{make_printable(str(table))}: line {row.line}"
            asked = f"{row.asked.syscall.arch.title} {make_printable(row.asked.text)}"
            click.echo(f"{place}: {asked}: expected {row.expected}, got {got}")
        click.echo(f"{len(results) - len(failed)} of {len(results)} rows as expected")
    return 1 if failed else 0


def _show(answer: QueryAnswer) -> str:
    return f"{answer.action} where {answer.condition}" if answer.condition else answer.action


def _rules(found: ProfileInput, asked: AskedCall, answer: QueryAnswer) -> list[int]:
    """Return the rules that decide it, by number in the resolved profile."""
    return [
        index
        for index, rule in find_matching_rules(found.profile, asked.syscall, asked.args)
        if str(rule.effect) == answer.action
    ]


def _reason(found: ProfileInput, asked: AskedCall, answer: QueryAnswer) -> str:
    """Describe the rules that decide it, counted as in the file."""
    rules = [_show_rule(found, index) for index in _rules(found, asked, answer)]
    if rules:
        return ", ".join(rules)
    if answer.action == str(found.profile.default):
        return "the default action"
    if found.program:
        return "the program, in a way that no rule can say"
    return "no rule: the runtime adds it, or libseccomp for other architectures"


def _show_rule(found: ProfileInput, index: int) -> str:
    condition = format_comparisons(found.profile.rules[index].args) or "any arguments"
    place = found.place(index)
    where = f" at line {place.line}" if place.line else " of what the program decompiles to"
    return f"rule {found.origin[index]}{where} ({condition})"


def _call_document(asked: AskedCall) -> dict[str, object]:
    return {"call": asked.text, "arch": asked.syscall.arch.scmp, "number": asked.syscall.number}


def _answer_document(
    found: ProfileInput, asked: AskedCall, answer: QueryAnswer
) -> dict[str, object]:
    rules = [(found.origin[index], found.place(index)) for index in _rules(found, asked, answer)]
    return {
        "action": answer.action,
        "condition": answer.condition,
        "reason": _reason(found, asked, answer),
        "rules": [
            {"index": number, "line": place.line, "column": place.column} for number, place in rules
        ],
    }


def _row_document(result: RowResult) -> dict[str, object]:
    answers = [{"action": one.action, "condition": one.condition} for one in result.answers]
    return _call_document(result.row.asked) | {
        "line": result.row.line,
        "expected": str(result.row.expected),
        "passed": result.passed,
        "answers": answers,
    }
