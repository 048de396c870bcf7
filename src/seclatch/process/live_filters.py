"""Read the filters of one live thread, with their programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from seclatch.errors import SeclatchError
from seclatch.model.process import (
    FilterCause,
    FilterLayer,
    FilterOrigin,
    LiveProcess,
    LiveThread,
    SeccompMode,
)
from seclatch.process.kernel.kernel_filters import read_kernel
from seclatch.process.thread_filters import fingerprint_program
from seclatch.system.read_filters import read_filters


@dataclass(frozen=True, slots=True)
class LiveFilter:
    """A filter; `number` counts from the oldest, 1."""

    number: int
    code: bytes
    layer: FilterLayer


def read_live_filters(
    process: LiveProcess, thread: LiveThread, *, stop: bool = False
) -> list[LiveFilter]:
    """Read the thread's filters, the newest first; none if it has none.

    `stop`: by stopping the thread with ptrace, even if the kernel's iterator works. Raises
    SeclatchError.
    """
    if thread.mode != SeccompMode.FILTER:
        return []
    codes = read_filters(thread.tid) if stop else _read_programs(process, thread)
    layers = _match_layers(codes, thread.layers)
    return [
        LiveFilter(len(codes) - place, code, layer)
        for place, (code, layer) in enumerate(zip(codes, layers, strict=True))
    ]


def _read_programs(process: LiveProcess, thread: LiveThread) -> list[bytes]:
    """Read from the kernel's iterator; by ptrace if that fails or is incomplete."""
    try:
        held = read_kernel(thread.tid).get(thread.tid)
    except SeclatchError as error:
        try:
            return read_filters(thread.tid)
        except SeclatchError as second:
            raise SeclatchError(f"{second}; {error}", remedy=error.remedy) from second
    if held is None or held.pid != process.pid:
        raise SeclatchError(f"process {process.pid} has ended meanwhile")
    codes = [layer.code for layer in held.layers if layer.code is not None]
    return codes if len(codes) == held.count else read_filters(thread.tid)


def _match_layers(codes: Sequence[bytes], seen: Sequence[FilterLayer]) -> list[FilterLayer]:
    """Return the layers of the listing if they are these programs; one may be newer."""
    unknown = FilterOrigin(FilterCause.UNKNOWN)
    layers = []
    for code, layer in zip(codes, [*seen, *[None] * len(codes)], strict=False):
        name = fingerprint_program(code)
        if layer is not None and layer.fingerprint in ("", name) and len(seen) == len(codes):
            layers.append(replace(layer, fingerprint=name, instructions=len(code) // 8))
        else:
            layers.append(FilterLayer(name, len(code) // 8, unknown))
    return layers
