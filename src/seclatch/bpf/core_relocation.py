"""CO-RE: patch the members' offsets of the running kernel into instructions.

clang records each access by the object's own types; here it becomes a name, `cred.uid.val`, that
is looked up in the kernel's BTF. As libbpf does, a member that a kernel lacks makes its instruction
one that the verifier refuses, unless the program asks first whether there is one.
"""

from __future__ import annotations

import struct

from seclatch.bpf.btf_ext import Access
from seclatch.bpf.object_file import ObjectError
from seclatch.system.btf import ARRAY, Btf

POISON = 195896080
"""Number of a helper that there is not ("bad relocation" in libbpf): the verifier names it."""

_CLASS, _LDX, _ST, _STX, _ALU, _ALU64 = 0x07, 0x01, 0x02, 0x03, 0x04, 0x07
_CALL = 0x85


def find_member(btf: Btf, type_id: int, path: tuple[int, ...]) -> tuple[str, int]:
    """Name the accessed member, as a question for the kernel's BTF, and bytes to add to the answer.

    Those are the bytes of an array's elements before the accessed one.
    """
    found = btf.read(type_id)
    name, rest = found.name, 0
    if path[0] != 0 or not name:
        raise ObjectError(f"CO-RE relocation of {name or 'a nameless type'}: not of one structure")
    for index in path[1:]:
        if found.kind == ARRAY:
            rest += index * btf.size_of(found.element)
            found = btf.read(found.element)
            continue
        if not 0 <= index < len(found.members):
            raise ObjectError(f"CO-RE relocation of {name}: no member {index}")
        member, target, _ = found.members[index]
        name = f"{name}.{member}" if member else name
        found = btf.read(target)
    return name, rest


def patch(code: bytearray, offset: int, kind: Access, answer: int | None) -> None:
    """Write an answer into the instruction at this offset."""
    if kind is Access.EXISTS:
        answer = int(answer is not None)
    operation = code[offset] & _CLASS
    if answer is None:
        struct.pack_into("<BBhi", code, offset, _CALL, 0, 0, POISON)
    elif operation in (_LDX, _ST, _STX) and answer < 1 << 15:
        struct.pack_into("<h", code, offset + 2, answer)
    elif operation in (_ALU, _ALU64):
        struct.pack_into("<i", code, offset + 4, answer)
    else:
        raise ObjectError(f"CO-RE relocation of an instruction {code[offset]:#x} to {answer}")
