"""Compile native/bpf into native/bpf/objects, and these into modules of the package.

python -m tools.bpf_objects [--check] (needs the `wheels` dependency group)

The compiler is PyPI's ziglang, pinned: so the same sources give the same bytes on every machine,
and --check, as CI runs it, proves that what is checked in is built from the sources. Thus the
package needs no BPF compiler (docs/decisions/0088-bpf-programs-in-c.md).
"""

from __future__ import annotations

import argparse
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.bpf.python_module import write_module

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "native" / "bpf"
OBJECTS = SOURCES / "objects"
MODULES = ROOT / "src" / "seclatch" / "bpf" / "objects"

# Object -> source and architecture; `filters` reads no registers, so one serves all.
TARGETS = {
    "recorder.x86_64.o": ("recorder.bpf.c", "-D__TARGET_ARCH_x86"),
    "recorder.aarch64.o": ("recorder.bpf.c", "-D__TARGET_ARCH_arm64"),
    "watch.x86_64.o": ("watch.bpf.c", "-D__TARGET_ARCH_x86"),
    "watch.aarch64.o": ("watch.bpf.c", "-D__TARGET_ARCH_arm64"),
    "filters.o": ("filters.bpf.c", ""),
}
# -mcpu=v3: 32-bit operations and jumps (Linux 5.1), atomic operations (5.12, where used). -g: BTF,
# without which CO-RE relocation is impossible. The relative path ../bpf leads clang to the source
# lines that it copies into BTF, and keeps the checkout's path out of it.
FLAGS = (
    *("-target", "bpfel-freestanding", "-mcpu=v3", "-O2", "-g"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"),
    "-fdebug-compilation-dir=../bpf",
)

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMTAB, _NOBITS, _REL = 2, 8, 9
_UNUSED = (".debug", ".eh_frame", ".llvm")


def compile_object(name: str, folder: Path) -> bytes:
    """Compile one object, without debug sections."""
    source, architecture = TARGETS[name]
    made = folder / name
    words = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *filter(None, [architecture])]
    # zig's cache ignores the path of a source.
    environment = {**os.environ, "ZIG_LOCAL_CACHE_DIR": folder, "ZIG_GLOBAL_CACHE_DIR": folder}
    words += ["-c", source, "-o", str(made)]
    subprocess.run(words, cwd=SOURCES, env=environment, check=True)
    return strip(made.read_bytes())


def strip(content: bytes) -> bytes:
    """Drop debug sections, for which no tool on PyPI supports BPF.

    The remaining sections and symbols are renumbered.
    """
    header = list(_HEADER.unpack_from(content))
    count, names = header[12], header[13]
    sections = [list(_SECTION.unpack_from(content, header[6] + 64 * n)) for n in range(count)]
    strings = _data(content, sections[names])
    texts = [strings[s[0] : strings.index(b"\0", s[0])].decode() for s in sections]
    dropped = {n for n, text in enumerate(texts) if text.startswith(_UNUSED)}
    # Relocations of dropped sections, and those of BTF, which only repeat values already in place.
    dropped |= {
        n
        for n, s in enumerate(sections)
        if s[1] == _REL and (s[7] in dropped or texts[s[7]].startswith(".BTF"))
    }
    kept = [n for n in range(count) if n not in dropped]
    number = {old: new for new, old in enumerate(kept)}
    symbols, body = _keep_symbols(content, sections, dropped, number)
    output = bytearray(64)
    for old in kept:
        section = sections[old]
        data = _keep_section(content, section, body, symbols)
        output += bytes(-len(output) % max(section[8], 1))
        section[4] = len(output) if old else 0
        section[5] = section[5] if section[1] == _NOBITS else len(data)
        output += data
        if section[1] in (_SYMTAB, _REL):
            section[6] = number[section[6]]
        if section[1] == _REL:
            section[7] = number[section[7]]
        elif section[1] == _SYMTAB:
            section[7] = sum(
                _SYMBOL.unpack_from(body, at)[1] >> 4 == 0 for at in range(0, len(body), 24)
            )
    output += bytes(-len(output) % 8)
    header[6], header[12], header[13] = len(output), len(kept), number[names]
    output[:64] = _HEADER.pack(*header)
    for old in kept:
        output += _SECTION.pack(*sections[old])
    return bytes(output)


def _data(content: bytes, section: list[int]) -> bytes:
    return b"" if section[1] == _NOBITS else content[section[4] : section[4] + section[5]]


def _keep_symbols(
    content: bytes, sections: list[list[int]], dropped: set[int], number: dict[int, int]
) -> tuple[dict[int, int], bytes]:
    """Return the new symbol table, and each symbol's new number."""
    table = next(section for section in sections if section[1] == _SYMTAB)
    symbols: dict[int, int] = {}
    body = b""
    for old, row in enumerate(_SYMBOL.iter_unpack(_data(content, table))):
        name, info, other, section, value, size = row
        if section in dropped:
            continue
        symbols[old] = len(body) // 24
        section = number.get(section, section)  # reserved numbers are kept
        body += _SYMBOL.pack(name, info, other, section, value, size)
    return symbols, body


def _keep_section(
    content: bytes, section: list[int], body: bytes, symbols: dict[int, int]
) -> bytes:
    if section[1] == _SYMTAB:
        return body
    data = _data(content, section)
    if section[1] != _REL:
        return data
    rows = struct.iter_unpack("<QQ", data)
    return b"".join(
        struct.pack("<QQ", at, symbols[info >> 32] << 32 | info & 0xFFFFFFFF) for at, info in rows
    )


def find_module(name: str) -> Path:
    """Return where the module of an object is."""
    return MODULES / f"{name.removesuffix('.o').replace('.', '_')}.py"


def make_module(name: str, content: bytes) -> bytes:
    """Return the module of an object with this content."""
    return write_module(content, TARGETS[name][0]).encode()


def main() -> None:
    """Compile, or compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="change nothing, compare")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory(prefix="seclatch-bpf-") as folder:
        made = {name: compile_object(name, Path(folder)) for name in TARGETS}
    files = {OBJECTS / name: content for name, content in made.items()}
    files |= {find_module(name): make_module(name, content) for name, content in made.items()}
    for path, content in files.items():
        if check:
            if not path.exists() or path.read_bytes() != content:
                sys.exit(f"{path.relative_to(ROOT)} is not what native/bpf gives: make bpf")
        else:
            path.write_bytes(content)


if __name__ == "__main__":
    main()
