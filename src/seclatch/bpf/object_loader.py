"""Load the maps and programs of an object into the running kernel."""

from __future__ import annotations

import contextlib
import os
import re

from seclatch.bpf.compiled_object import INSTRUCTION, CompiledObject
from seclatch.bpf.kernel_types import KernelTypes
from seclatch.bpf.linked_program import POISON, LinkedBpfProgram
from seclatch.system import bpf

CONSTANTS = ".rodata"


class Loader:
    """Makes maps of an object as its programs need them, and loads those that are asked for."""

    def __init__(
        self, found: CompiledObject, types: KernelTypes, constants: dict[str, bytes] | None = None
    ) -> None:
        """Take the kernel's answers to the object's questions, and values of its constants."""
        self._object = found
        self._types = types
        self._constants = constants or {}
        self._maps: dict[str, bpf.Map] = {}

    def load(self, name: str) -> int:
        """Load a program, answer its descriptor. Raises OSError, bpf.VerifierError."""
        kind, question = self._object.read_target(name)
        target = self._types[question] if question else 0
        if target is None:
            section = self._object.sections[name]
            raise bpf.VerifierError(f"program {name}: this kernel has no {section}", "")
        linked = LinkedBpfProgram(self._object.functions, name)
        linked.refer_to_maps(lambda wanted: self.use(wanted).fd)
        linked.relocate(self._types)
        try:
            return bpf.load_program(bytes(linked.code), name, kind, target)
        except bpf.VerifierError as error:
            reason = _explain(error.log, linked)
            raise bpf.VerifierError(f"{error}{reason}", error.log) from error

    def use(self, name: str) -> bpf.Map:
        """Find a map by its name; the first use creates it. Raises OSError."""
        if name not in self._maps:
            self._maps[name] = self._create(name)
        return self._maps[name]

    def find_global(self, name: str) -> int:
        """Where in `.bss` or `.data` a variable is."""
        return self._object.variables[name].offset

    def close(self) -> None:
        """Close all maps; programs hold theirs."""
        for each in self._maps.values():
            with contextlib.suppress(OSError):
                os.close(each.fd)
        self._maps = {}

    def _create(self, name: str) -> bpf.Map:
        kind, key, value, entries, flags, content = self._object.maps[name]
        made = bpf.create_map(
            kind, key=key, value=value, entries=entries, flags=flags, name=name.lstrip(".")
        )
        try:
            if name == CONSTANTS:
                made.set(bytes(4), self._set_constants(bytes.fromhex(content) or bytes(value)))
                bpf.freeze(made)
            elif content:
                made.set(bytes(4), bytes.fromhex(content))
        except OSError:
            os.close(made.fd)
            raise
        return made

    def _set_constants(self, initial: bytes) -> bytes:
        content = bytearray(initial)
        for name, value in self._constants.items():
            _, offset, size = self._object.variables[name]
            if len(value) != size:
                raise ValueError(f"{name} has {size} bytes, not {len(value)}")
            content[offset : offset + size] = value
        return bytes(content)


def _explain(log: str, linked: LinkedBpfProgram) -> str:
    """Where in the C source the verifier stopped, or which member this kernel lacks."""
    numbers = re.findall(r"^(\d+): \(", log, re.MULTILINE)
    if not numbers:
        return ""
    at = int(numbers[-1]) * INSTRUCTION
    if str(POISON) in log and at in linked.missing:
        return f": this kernel has no {linked.missing[at]}"
    return f" at {linked.find_line(at)}"
