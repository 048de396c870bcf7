"""Capabilities, against the kernel's header."""

import re
from pathlib import Path

import pytest

from seclatch.model import capability


def test_the_list_is_the_kernels() -> None:
    header = Path("/usr/include/linux/capability.h").read_text()
    defined = set(re.findall(r"^#define (CAP_\w+)\s+\d+$", header, re.M))
    assert defined <= capability.ALL


@pytest.mark.parametrize("name", ["sys_admin", "SYS_ADMIN", "CAP_SYS_ADMIN", "cap_sys_admin"])
def test_spellings(name: str) -> None:
    assert capability.parse_capability(name) == "CAP_SYS_ADMIN"
    with pytest.raises(ValueError, match="unknown"):
        capability.parse_capability(f"{name}S")
