"""The decoder of BPF programs: any bytes are decoded or refused.

A decoded program gives its bytes back, is listed and decompiled within its bounds, and both
interpreters agree on it.

python tests/fuzz/bpf.py [LIBFUZZER-OPTION…] CORPUS (needs the `fuzz` dependency group)
"""

from __future__ import annotations

import contextlib
import sys
from contextlib import AbstractContextManager

tracing: AbstractContextManager[None] = contextlib.nullcontext()
if __name__ == "__main__":  # tests replay the corpus without it
    import atheris

    tracing = atheris.instrument_imports(["seclatch.filter"])
with tracing:
    from seclatch.errors import InputError, SeclatchError
    from seclatch.filter.classic_bpf.decode import decode_filter
    from seclatch.filter.classic_bpf.simulate import simulate_filter
    from seclatch.filter.decompile import decompile_filter
    from seclatch.filter.disassemble import disassemble_filter
    from seclatch.filter.evaluate_calls import CallEvaluator
    from seclatch.model.arch import Arch
    from seclatch.model.seccomp_data import SeccompData

LONGEST = 64  # instructions: longer programs only take longer
CALLS = [
    SeccompData(audit, number, args=(first, 0, 1 << 33, 0, 0, 0))
    for audit in (Arch.X86_64.audit, Arch.AARCH64.audit, 7)
    for number in (0, 59, 231, 0x40000001)
    for first in (0, 0xFFFFFFFF)
]


def try_bytes(data: bytes) -> None:
    """Decode the bytes, and use the decoded program."""
    try:
        program = decode_filter(data[: LONGEST * 8], "input")
    except InputError:
        return
    assert program.to_bytes() == data[: LONGEST * 8]
    assert len(disassemble_filter(program)) == len(program)
    evaluator = CallEvaluator(program)
    for call in CALLS:
        assert evaluator.value(call) == simulate_filter(program, call).value
    with contextlib.suppress(SeclatchError):
        decompile_filter(program, (Arch.X86_64,))


if __name__ == "__main__":
    atheris.Setup(sys.argv, try_bytes)
    atheris.Fuzz()
