"""`seclatch profile score --host`: the filters of live processes, read back and scored."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from seclatch.data import DATA
from seclatch.errors import SeclatchError
from seclatch.process import filter_stacks
from seclatch.process.process_entries import read_entries
from tests.process.conftest import RUN, running, seclatch

Stacked = Callable[[str, int], AbstractContextManager[int]]
STRICT = Path(__file__).parents[1] / "data" / "stali-like.json"


def scored(*words: str) -> list[dict[str, Any]]:
    done = seclatch("profile", "score", "--host", "--no-engines", "--json", *words)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    schema = json.loads((DATA / "schemas" / "profile-score-1.json").read_text())
    jsonschema.validate(document, schema)
    rows: list[dict[str, Any]] = document["scores"]
    return rows


def row_of(pid: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    [row] = [row for row in rows if any(each.startswith(f"{pid} ") for each in row["processes"])]
    return row


@pytest.mark.root
def test_a_stack_of_filters_is_one_row(stacked: Stacked) -> None:
    with stacked("main", 2) as pid:
        rows = scored()
    row = row_of(pid, rows)
    assert row["open"] == row["known"] - 1  # the program's filters deny getpgid and nothing else


@pytest.mark.root
def test_a_live_profile_scores_as_its_file() -> None:
    words = ["apply", "--profile", str(STRICT), "--", "busybox", "sh", "-c"]
    with running(sys.executable, "-c", RUN, *words, "echo ready; read x") as pid:
        rows = scored(str(STRICT))
    live, file = row_of(pid, rows), next(row for row in rows if row["name"] == str(STRICT))
    assert (live["open"], live["dangerous"]) == (file["open"], file["dangerous"])


@pytest.mark.root
def test_without_the_iterator_ptrace_reads_them(
    stacked: Stacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise SeclatchError("no eBPF here")

    monkeypatch.setattr(filter_stacks, "read_kernel", fail)
    with stacked("main", 2) as pid:
        only = {pid: read_entries()[pid]}
        monkeypatch.setattr(filter_stacks, "read_entries", lambda: only)
        found = filter_stacks.read_host_filters(names=False)
    [codes] = [
        codes
        for (codes, _), processes in found.stacks.items()
        if pid in [each.pid for each in processes]
    ]
    assert len(codes) == 2
    assert any("no eBPF here; reading filters by ptrace" in note for note in found.notes)
