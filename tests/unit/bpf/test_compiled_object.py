"""The package's modules are what the checked-in objects give; CI compiles those anew."""

from __future__ import annotations

import pytest

from tests.unit.bpf.objects import FOLDER, NAMES, import_compiled, read_object
from tools.bpf.python_module import name_member, read_function
from tools.bpf_objects import find_module, make_module


@pytest.mark.parametrize("name", NAMES)
def test_modules_are_written_from_the_objects(name: str) -> None:
    made = make_module(f"{name}.o", (FOLDER / f"{name}.o").read_bytes())
    assert find_module(f"{name}.o").read_bytes() == made, "make bpf"


@pytest.mark.parametrize("name", NAMES)
def test_objects_are_stripped_of_debug_sections(name: str) -> None:
    sections = read_object(name).sections.keys()
    assert {".BTF", ".BTF.ext", ".maps", "license"} <= sections
    assert not [each for each in sections if each.startswith((".debug", ".rel.debug"))]


@pytest.mark.parametrize("name", NAMES)
def test_lines_of_c_are_known(name: str) -> None:
    for function in import_compiled(name).functions.values():
        offset, _, line = function.lines.splitlines()[0].partition(" ")
        assert offset == "0" and int(line.split(":")[1]) > 0


def test_what_the_loader_does_not_have_is_refused() -> None:
    """Another kind of relocation, and one of an instruction that takes none."""
    file = read_object("filters")
    function = file.functions[0]
    row = file.accesses[function.section][0]
    with pytest.raises(ValueError, match="CO-RE relocation 1"):
        name_member(file.btf, row.type_id, row.path, 1)
    # The first instruction of a function's 64-bit load: of class LD.
    at = next(at for at in range(0, function.size, 8) if file.code(function)[at] == 0x18)
    file.accesses[function.section] = [row._replace(offset=function.value + at)]
    with pytest.raises(ValueError, match="CO-RE relocation of 0x18"):
        read_function(file, function)
