"""What `seclatch filter of` says about filters that were read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from seclatch.cli.profile.diff import print_difference
from seclatch.cli.shared.result_output import print_warnings, write_result
from seclatch.errors import InputError
from seclatch.filter.classic_bpf.decode import decode_filter
from seclatch.filter.decompile import decompile_filter, find_compared_arches
from seclatch.filter.disassemble import disassemble_filter
from seclatch.filter.query_filter import QueryAnswer
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall, parse_call
from seclatch.model.filter import Filter
from seclatch.model.process import LiveProcess, LiveThread
from seclatch.output.printable_text import make_printable
from seclatch.process import compare_live_filter as comparing
from seclatch.process.live_filters import LiveFilter
from seclatch.process.stack_verdict import StackAnswers, query_stack
from seclatch.profile.compile.runtime_limits import Runtime
from seclatch.profile.export import oci
from seclatch.profile.export.formats import write
from seclatch.profile.meaning.diff_profiles import report_difference
from seclatch.profile.parse.profile_source import read_source
from seclatch.report.tables.process_table import describe_layer, show_container

_BOTH = (Runtime.RUNC, Runtime.CRUN)
_STALE = (
    "only errnoRet differs, which crun overlooks when it keeps compiled filters: remove "
    "/run/crun/.cache/seccomp (.cache/seccomp below its --root) and start the container anew"
)


def print_listing(process: LiveProcess, thread: LiveThread, filters: Sequence[LiveFilter]) -> str:
    """All filters, instruction by instruction."""
    return "\n".join(_lines(process, thread, filters)) + "\n"


def _lines(
    process: LiveProcess, thread: LiveThread, filters: Sequence[LiveFilter]
) -> Iterator[str]:
    inside = f", container {show_container(process.container)}" if process.container else ""
    privileges = "set" if thread.no_new_privs else "not set"
    name = make_printable(thread.comm)
    yield f"# {thread.tid} ({name}){inside}: no_new_privs {privileges}, {_count(thread.filters)}"
    for one in filters:
        yield f"# {make_printable(_describe(one, thread))}"
        for line in disassemble_filter(_filter(one), Arch.native()):
            yield f"{line.index:5} {line.label:5} {line.text:45} {line.note}".rstrip()


def _count(filters: int) -> str:
    return {1: "1 filter", -1: "filters"}.get(filters, f"{filters} filters")


def _describe(one: LiveFilter, thread: LiveThread) -> str:
    layer = one.layer
    profile = f" {layer.profile}" if layer.profile else ""
    return (
        f"filter {one.number} of {max(thread.filters, one.number)}: {layer.fingerprint}{profile}, "
        f"{layer.instructions} instructions, {layer.origin}"
    )


def _filter(one: LiveFilter) -> Filter:
    order = "little" if Arch.native().little else "big"
    return decode_filter(one.code, f"filter {one.number}", order)  # type: ignore[arg-type]


def print_profiles(filters: Sequence[LiveFilter], form: str, output: Path | None) -> None:
    """Each filter as a profile; what a profile cannot say goes to stderr."""
    for one in filters:
        program = _filter(one)
        name = f"filter {one.number}"
        found = decompile_filter(
            program, () if find_compared_arches(program) else (Arch.native(),), stub_apart=True
        )
        if len(found.profiles) > 1:
            print_warnings(name, [f"{len(found.profiles)} profiles: no single one says it all"])
        print_warnings(name, (f"not in the profile: {kept}" for kept in found.kept))
        for profile in found.profiles:
            written = write(profile, form)
            print_warnings(name, written.warnings)
            write_result(written.text, output)


def print_answers(
    filters: Sequence[LiveFilter], calls: Sequence[str], arches: Sequence[Arch], as_json: bool
) -> int:
    """Print what all filters together answer, and what each of them does."""
    programs = [_filter(one) for one in filters]
    asked_for = [_asked(call, arch) for arch in arches for call in calls]
    answered = [(asked, query_stack(programs, asked)) for asked in asked_for]
    if as_json:
        documents = [_answers_document(asked, one, filters) for asked, one in answered]
        click.echo(json.dumps({"schema": "seclatch.filter-live-verdicts/1", "calls": documents}))
        return 0
    for asked, answers in answered:
        for line in _say(asked, answers, filters):
            click.echo(line)
    return 0


def _asked(text: str, arch: Arch) -> AskedCall:
    try:
        return parse_call(text, arch)
    except ValueError as error:
        raise InputError("the call", text, str(error)) from error


def _say(asked: AskedCall, answers: StackAnswers, filters: Sequence[LiveFilter]) -> Iterator[str]:
    text = make_printable(asked.text)
    if asked.syscall.arch is not Arch.native():
        text = f"{asked.syscall.arch.title} {text}"
    if answers.unasked:
        yield f"{text}: the kernel asks no filter about this call ({answers.unasked})"
        return
    if answers.whole:
        yield f"{text}: {answers.whole}"
    elif len(filters) > 1:
        yield f"{text}: the strictest of what these answer"
    if answers.whole and len(filters) == 1:
        return
    for one, layer in zip(filters, answers.layers, strict=True):
        for each in layer:
            prefix = f"  filter {one.number}" if len(filters) > 1 else text
            yield f"{prefix}: {_show(each)}"


def _show(one: QueryAnswer) -> str:
    return f"{one.action} where {one.condition}" if one.condition else one.action


def _answers_document(
    asked: AskedCall, answers: StackAnswers, filters: Sequence[LiveFilter]
) -> dict[str, object]:
    return {
        "call": asked.text,
        "arch": asked.syscall.arch.scmp,
        "number": asked.syscall.number,
        "action": answers.whole or None,
        "unasked": answers.unasked or None,
        "filters": [
            {
                "number": one.number,
                "answers": [{"action": each.action, "condition": each.condition} for each in layer],
            }
            for one, layer in zip(filters, answers.layers, strict=True)
        ],
    }


def print_comparison(
    process: LiveProcess,
    filters: Sequence[LiveFilter],
    file: Path,
    runtime: str | None,
    as_json: bool,
) -> int:
    """How a filter differs from what was meant; 0 if it does not."""
    runtimes = [Runtime(runtime)] if runtime else _BOTH
    found = comparing.compare_filters(
        filters, read_source(file), runtimes, comparing.list_hosts(process)
    )
    name = f"filter {found.filter.number} of process {process.pid}"
    if as_json:
        document = {
            "schema": "seclatch.filter-against/1",
            "filter": found.filter.number,
            "runtime": found.runtime or None,
            "same": found.same,
            "only_errnos": found.only_errnos,
            "difference": report_difference(str(file), name, found.difference)
            if found.difference
            else None,
        }
        click.echo(json.dumps(document))
        return 0 if found.same else 1
    print_warnings(name, found.warnings)
    meant = make_printable(str(file))
    if found.runtime:
        click.echo(f"{name} is {meant}, byte for byte as {found.runtime} compiles it")
    elif found.same:
        click.echo(f"{name} means the same as {meant}, in other instructions")
    elif found.difference:
        click.echo(f"{name} differs from {meant}:")
        print_difference(found.difference)
    if found.only_errnos:
        click.echo(f"seclatch: {name}: {_STALE}", err=True)
    return 0 if found.same else 1


def make_document(process: LiveProcess, thread: LiveThread, filters: Sequence[LiveFilter]) -> str:
    """For machines: the programs in hex, and the rules that they were made of."""
    container = process.container
    value = {
        "schema": "seclatch.filter-live/1",
        "pid": process.pid,
        "tid": thread.tid,
        "name": thread.comm,
        "no_new_privs": thread.no_new_privs,
        "container": container.id if container else None,
        "container_name": (container and container.name) or None,
        "pod": (container and container.pod) or None,
        "namespace": (container and container.namespace) or None,
        "claimed": bool(container and container.claimed),
        "filters": [_describe_filter(one) for one in filters],
    }
    return json.dumps(value) + "\n"


def _describe_filter(one: LiveFilter) -> dict[str, object]:
    program = _filter(one)
    found = decompile_filter(
        program, () if find_compared_arches(program) else (Arch.native(),), stub_apart=True
    )
    return {
        "number": one.number,
        **describe_layer(one.layer),
        "code": one.code.hex(),
        "profiles": [oci.make_document(profile) for profile in found.profiles],
        "kept": [str(kept) for kept in found.kept],
    }
