"""`seclatch profile compile`."""

from __future__ import annotations

import json
import sys
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
from seclatch.cli.shared.result_output import print_warnings, write_result
from seclatch.filter.classic_bpf.verify import find_refusal
from seclatch.model.filter import Filter
from seclatch.model.quoted_text import shorten_text
from seclatch.profile.compile.compile_profile import CompiledProgram, Runtime, compile_profile


@click.command(name="compile")
@click.argument("file", type=PROFILE)
@click.option(
    "--runtime",
    type=click.Choice([runtime.value for runtime in Runtime]),
    default=Runtime.RUNC.value,
    show_default=True,
    help="Whose compiler; `libseccomp` is the library alone.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["bpf", "json"]),
    default="bpf",
    show_default=True,
    help="The program itself, or a document about it (the same as --json).",
)
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, schema profile-program/1.")
@host_options
def command(
    file: Path, runtime: str, form: str, output: Path | None, as_json: bool, **options: Any
) -> None:
    """Write the BPF program that the runtime would load, as raw `struct sock_filter`.

    The profile is resolved first, as by the engine. With the same libseccomp the program is byte
    for byte the runtime's; runc writes its ENOSYS stub in a random order of ABIs, --json lists
    all forms.

    \b
    Examples:
      seclatch profile compile strict.json -o strict.bpf
      seclatch profile compile --runtime libseccomp strict.json -o for-apply.bpf
      seclatch profile compile --runtime crun --json strict.json
    """
    as_json = as_json or form == "json"
    if output is None and not as_json and sys.stdout is not None and sys.stdout.isatty():
        raise click.UsageError("the program is binary: give -o FILE, --json or a pipe")
    host = host_from(options)
    program = compile_profile(
        read_given_profile(file, host).profile, runtime=Runtime(runtime), native=host.arch
    )
    print_warnings(
        str(file),
        (f"{shorten_text(name)}: unknown to libseccomp, ignored" for name in program.ignored),
    )
    refused = find_refusal(Filter.from_bytes(program.code, "little" if host.arch.little else "big"))
    print_warnings(str(file), [f"{refused}; no container starts with it"] if refused else [])
    write_result(_describe(program, runtime) if as_json else program.code, output)


def _describe(program: CompiledProgram, runtime: str) -> str:
    value = {
        "schema": "seclatch.profile-program/1",
        "runtime": runtime,
        "libseccomp": program.libseccomp,
        "architectures": [arch.scmp for arch in program.arches],
        "byteorder": program.arches[0].byteorder,
        "instructions": len(program.code) // 8,
        "ignored": list(program.ignored),
        "code": program.code.hex(),
        "alternatives": [code.hex() for code in program.alternatives],
        "alternatives_complete": program.complete,
    }
    return json.dumps(value) + "\n"
