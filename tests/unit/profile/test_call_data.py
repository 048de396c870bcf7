"""The curated files have their shape, and their rows agree with each other."""

from __future__ import annotations

import json

import jsonschema
import pytest

from seclatch.data import DATA
from seclatch.profile.curated.call_data import load_dangerous
from seclatch.profile.curated.harmless_arguments import load_harmless_arguments
from seclatch.profile.curated.kernel_cves import load_kernel_cves
from seclatch.recording.backends.bpf.abi import KEPT_ARGUMENTS, Spec


@pytest.mark.parametrize("name", ["always", "fallbacks", "families", "dangerous", "arguments"])
def test_a_file_has_its_shape(name: str) -> None:
    schema = json.loads((DATA / "schemas" / "generate-data-1.json").read_text())
    jsonschema.validate(json.loads((DATA / "generate" / f"{name}.json").read_text()), schema)


def test_the_vulnerabilities_of_a_dangerous_call_need_it() -> None:
    needed = {
        row.cve: {call.call for step in row.needs for call in step}
        for row in load_kernel_cves().cves
    }
    for call in load_dangerous().values():
        assert all(call.call in needed[cve] for cve in call.cves), call.call
    missed = {
        name
        for cve, names in needed.items()
        for name in names & load_dangerous().keys()
        if cve not in load_dangerous()[name].cves
    }
    assert not missed


def test_each_dangerous_call_has_a_public_source() -> None:
    for call in load_dangerous().values():
        assert call.sources and len(set(call.sources)) == len(call.sources), call.call


def test_a_limited_argument_is_one_that_recordings_have() -> None:
    """A call that was recorded without the argument would not be limited at all."""
    kept = {
        name: {n for n in range(4) if spec & Spec(1 << n)} for name, spec in KEPT_ARGUMENTS.items()
    }
    for row in load_harmless_arguments():
        limited = {each.index for condition in row.harmless for each in condition}
        assert limited | {each.index for each in row.recorded} <= kept[row.call], row.call
