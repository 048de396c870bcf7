"""`seclatch profile compile`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from seclatch.cli.profile.options import FILE, host_from, host_options, resolved
from seclatch.cli.profile.output import emit, warn
from seclatch.profile.compile import Program, Runtime, compile_profile


@click.command(name="compile")
@click.argument("file", type=FILE)
@click.option(
    "--runtime",
    type=click.Choice([runtime.value for runtime in Runtime]),
    default=Runtime.RUNC.value,
    show_default=True,
    help="Whose compiler; `libseccomp` is the library alone.",
)
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
@click.option("--json", "as_json", is_flag=True, help="Tell about the program, code in hex.")
@host_options
def command(file: Path, runtime: str, output: Path | None, as_json: bool, **options: Any) -> None:
    """Write the BPF program that the runtime would load, as raw `struct sock_filter`.

    The profile is resolved first, as by the engine. With the same libseccomp the program is byte
    for byte the runtime's; runc writes its ENOSYS stub in a random order of ABIs, --json lists
    all forms.

    \b
    Examples:
      seclatch profile compile strict.json -o strict.bpf
      seclatch profile compile --runtime crun --json strict.json
    """
    if output is None and not as_json and sys.stdout.isatty():
        raise click.UsageError("the program is binary: give -o FILE, --json or a pipe")
    host = host_from(options)
    program = compile_profile(resolved(file, host), runtime=Runtime(runtime), native=host.arch)
    warn(str(file), (f"{name}: unknown to libseccomp, ignored" for name in program.ignored))
    emit(_describe(program, runtime) if as_json else program.code, output)


def _describe(program: Program, runtime: str) -> str:
    value = {
        "schema": "seclatch.program/1",
        "runtime": runtime,
        "libseccomp": program.libseccomp,
        "architectures": [arch.scmp for arch in program.arches],
        "byteorder": program.arches[0].byteorder,
        "instructions": len(program.code) // 8,
        "ignored": list(program.ignored),
        "code": program.code.hex(),
        "alternatives": [code.hex() for code in program.alternatives],
    }
    return json.dumps(value) + "\n"
