"""Paths of programs, which are any bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from seclatch.model.denial_log import decode_line, encode_line
from seclatch.watch.process_contexts import _read_path
from tests.unit.watch.denials import make_denial


def test_a_path_of_any_bytes_is_text(tmp_path: Path) -> None:
    program = os.fsencode(tmp_path) + b"/p\xff\xfe"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", os.fsdecode(program))
    with subprocess.Popen([program, "60"]) as process:
        path = _read_path(process.pid)
        process.kill()
    assert path == f"{tmp_path}/p\\xff\\xfe"
    line = make_denial(exe=path)
    assert decode_line(encode_line(line)) == line
