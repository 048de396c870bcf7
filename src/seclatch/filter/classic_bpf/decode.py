"""Decode bytes of a file or process into a filter that the kernel would accept."""

from __future__ import annotations

from pathlib import Path

from seclatch.errors import InputError
from seclatch.filter.classic_bpf.verify import FilterRefusal, find_refusal
from seclatch.model.filter import INSTRUCTION_SIZE, MAX_FILE_INSTRUCTIONS, ByteOrder, Filter

_REMEDY = (
    "a filter is an array of struct sock_filter, 8 bytes each, as seccomp_export_bpf writes it"
)
_FROM_PROFILE = "of a profile `seclatch profile compile` makes one"


def load_filter(path: Path, byteorder: ByteOrder | None = None) -> Filter:
    """Read the raw BPF program in `path`. Raises InputError, as `decode_filter` does."""
    limit = MAX_FILE_INSTRUCTIONS * INSTRUCTION_SIZE
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InputError(str(path), "", f"cannot read it: {error.strerror}") from error
    return decode_filter(data, str(path), byteorder)


def decode_filter(data: bytes, source: str, byteorder: ByteOrder | None = None) -> Filter:
    """Decode and verify a program; `source` names it in errors.

    Without a byte order, the one in which the kernel would accept the program. Raises InputError
    with the instruction and the kernel's rule.
    """
    try:
        readings = [Filter.from_bytes(data, order) for order in _list_orders(byteorder)]
    except ValueError as error:
        raise InputError(
            source, "", f"no BPF program: {error}", remedy=_choose_remedy(data)
        ) from error
    problems = [find_refusal(program) for program in readings]
    for program, problem in zip(readings, problems, strict=True):
        if problem is None:
            return program
    raise _make_error(source, _choose_refusal(problems), _choose_remedy(data))


def _choose_remedy(data: bytes) -> str:
    return _FROM_PROFILE if data.lstrip()[:1] == b"{" else _REMEDY


def _list_orders(byteorder: ByteOrder | None) -> tuple[ByteOrder, ...]:
    return ("little", "big") if byteorder is None else (byteorder,)


def _choose_refusal(problems: list[FilterRefusal | None]) -> FilterRefusal:
    """Return the refusal of the byte order that was valid for longer."""
    found = [problem for problem in problems if problem]
    return max(found, key=lambda problem: -1 if problem.index is None else problem.index)


def _make_error(source: str, problem: FilterRefusal, remedy: str) -> InputError:
    place = "" if problem.index is None else f"instruction {problem.index}"
    return InputError(
        source,
        place,
        f"the kernel refuses this program: {problem.rule} ({problem.reason})",
        remedy=remedy,
    )
