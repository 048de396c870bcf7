"""Arguments and options that the subcommands share."""

from __future__ import annotations

from pathlib import Path

import click

from seclatch.errors import InputError
from seclatch.filter.call_cases import choose_byteorder
from seclatch.filter.classic_bpf.decode import decode_filter, load_filter
from seclatch.model.arch import Arch
from seclatch.model.filter import MAX_FILE_INSTRUCTIONS, Filter
from seclatch.profile.parse.profile_source import take_in

FILE = click.Path(path_type=Path, allow_dash=True)


def parse_arches(
    _ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]
) -> tuple[Arch, ...]:
    """Read any spelling of architectures."""
    try:
        return tuple(map(Arch.parse, value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def read_filter(file: Path, arches: tuple[Arch, ...]) -> Filter:
    """Read and verify a program, in the byte order of the architectures if any are given."""
    orders = {choose_byteorder(arch) for arch in arches}
    if len(orders) > 1:
        raise click.UsageError("one program cannot serve architectures of both byte orders")
    order = orders.pop() if orders else None
    if str(file) == "-":
        try:
            data = take_in(MAX_FILE_INSTRUCTIONS * 8 + 1)
        except OSError as error:
            raise InputError("standard input", "", f"cannot read it: {error.strerror}") from error
        return decode_filter(data, "standard input", order)
    return load_filter(file, order)
