"""Where this kernel keeps what the programs read: from its BTF, remembered until it changes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from seclatch.errors import SeclatchError
from seclatch.system.cache import read_cached_bytes, write_cached

if TYPE_CHECKING:
    from seclatch.system.btf import Btf

KernelTypes = dict[str, int | None]
"""Answers by question; None where this kernel has no such thing. Questions are a member
(`task_struct.seccomp.filter_count`: its offset), a structure (`upid`: its size), a tracepoint
(`trace:sys_enter`) or a function (`function:bpf_iter_task`: the id by which bpf(2) names it)."""


def find_kernel_types(questions: tuple[str, ...], doing: str) -> KernelTypes:
    """Answer all questions about the running kernel. Raises SeclatchError where it has no BTF."""
    key = _kernel_key(questions)
    remembered = _decode(read_cached_bytes(key) or b"") if key else {}
    if remembered.keys() == set(questions):
        return remembered
    found = _read(questions, doing)
    if key:
        write_cached(key, _encode(found))
    return found


def _encode(types: KernelTypes) -> bytes:
    """Encode as lines of text: a decoder of JSON takes longer to import than all else here."""
    return "".join(
        f"{question} {'-' if answer is None else answer}\n" for question, answer in types.items()
    ).encode()


def _decode(content: bytes) -> KernelTypes:
    """Decode what was encoded; nothing where it is damaged."""
    rows = [line.rpartition(" ") for line in content.decode("utf-8", "replace").splitlines()]
    if not all(answer == "-" or answer.isdecimal() for _, _, answer in rows):
        return {}
    return {question: None if answer == "-" else int(answer) for question, _, answer in rows}


def _read(questions: tuple[str, ...], doing: str) -> KernelTypes:
    from seclatch.system.btf import VMLINUX, Btf, BtfError

    try:
        btf = Btf.of_kernel()
    except FileNotFoundError as error:
        raise SeclatchError(
            f"{doing}: this kernel has no type information ({VMLINUX})",
            remedy="it takes a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions' are",
        ) from error
    except OSError as error:
        raise SeclatchError(f"reading {VMLINUX}: {error.strerror}") from error
    except BtfError as error:
        raise SeclatchError(f"reading {VMLINUX}: {error}") from error
    found: KernelTypes = {}
    for question in questions:
        try:
            found[question] = _answer(btf, question)
        except BtfError:
            found[question] = None
    return found


def _answer(btf: Btf, question: str) -> int:
    kind, _, name = question.rpartition(":")
    ask: dict[str, Callable[[str], int]] = {
        "trace": lambda name: btf.typedef(f"btf_trace_{name}"),
        "function": btf.function,
        "": btf.offset if "." in name else btf.size,
    }
    return ask[kind](name)


def _kernel_key(questions: tuple[str, ...]) -> str | None:
    """Name the cache file of a kernel build (its build id is in /sys/kernel/notes) and questions.

    A checksum is enough: whoever could forge one could replace the kernel.
    """
    try:
        notes = Path("/sys/kernel/notes").read_bytes()
    except OSError:
        return None
    asked = zlib.crc32("\0".join(questions).encode())
    return f"btf-{zlib.crc32(notes):08x}{zlib.adler32(notes):08x}{asked:08x}"
