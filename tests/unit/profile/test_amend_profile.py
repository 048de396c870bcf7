"""An amended text: it allows what was accepted, nothing else changes, and the layout stays."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from seclatch.errors import InputError, SeclatchError
from seclatch.model.arch import Arch
from seclatch.profile.amend.denial_evidence import DenialEvidence, find_selector
from seclatch.profile.amend.plan_amendment import (
    AmendedProfile,
    add_families,
    plan_proposals,
    write_amendment,
)
from seclatch.profile.amend.propose_rules import ProposedCall
from seclatch.profile.amend.verify_amendment import verify_amendment
from seclatch.profile.compile.resolve_profile import narrow_profile
from seclatch.profile.export.docker import make_document
from seclatch.profile.meaning.diff_profiles import compare_profiles
from seclatch.profile.meaning.rule_meaning import read_meaning
from seclatch.profile.parse.load_profile import parse_profile
from tests.examples import examples
from tests.unit.profile.amendments import HOST, TEXT, options, profile, rules_of, seen
from tests.unit.profile.profiles import NAMES, resolved_profiles


def make_denial(name: str, args: tuple[int, ...], count: int, partial: bool) -> DenialEvidence:
    """Make a denial; of a partial one only the compared argument is known."""
    index = find_selector(name)
    if not args or not partial or index is None:
        return seen(name, *args, count=count)
    known = [value if place == index else 0 for place, value in enumerate(args)]
    return seen(name, *known, count=count, partial=True)


denials = st.lists(
    st.builds(
        make_denial,
        st.sampled_from([*NAMES, "fcntl", "mprotect", "lseek", "accept4", "statx", "execve"]),
        st.just(()) | st.tuples(*[st.sampled_from([0, 1, 2, 7, 40, 0x10000000, 1 << 32])] * 6),
        st.integers(1, 9),
        st.booleans(),
    ),
    max_size=6,
)


def amend(text: str, *found: DenialEvidence, **more: str) -> tuple[str, list[ProposedCall]]:
    chosen, given_profile = options(**more), profile(text)
    accepted = plan_proposals(given_profile, found, chosen).offered
    accepted += add_families(given_profile, accepted, chosen)
    return write_amendment(given_profile, accepted, chosen.overrule).text, accepted


def test_only_lines_are_added() -> None:
    text, _ = amend(TEXT, seen("sync", count=3))
    before, after = TEXT.splitlines(), text.splitlines()
    assert [each for each in after if each not in before] == [
        before[9] + ",",
        '        {"names": ["sync"], "action": "SCMP_ACT_ALLOW", '
        '"comment": "amended: denied 3 times (web.log)"}',
    ] or len(after) == len(before) + 1
    assert rules_of(text)[:-1] == rules_of(TEXT)
    assert rules_of(text)[-1] == {
        "names": ["sync"],
        "action": "SCMP_ACT_ALLOW",
        "comment": "amended: denied 3 times (web.log)",
    }


def test_an_overruled_call_leaves_the_rule_that_denied_it() -> None:
    text, _ = amend(TEXT, seen("statx"), seen("ptrace"), overrule="statx ptrace")
    rules = rules_of(text)
    assert ["clone3"] in [rule["names"] for rule in rules]
    assert not any(rule["action"] == "SCMP_ACT_KILL_PROCESS" for rule in rules)
    found = compare_profiles(profile().enforced, profile(text).enforced, Arch.X86_64)
    assert {change.name for change in found.changes} == {"statx", "ptrace"}


def test_a_config_json_is_edited_within() -> None:
    config = json.dumps({"ociVersion": "1", "linux": {"seccomp": json.loads(TEXT)}}, indent=1)
    text, _ = amend(config, seen("sysinfo"))
    assert json.loads(text)["linux"]["seccomp"]["syscalls"][-1]["names"] == ["sysinfo"]
    assert json.loads(text)["ociVersion"] == "1"


def test_a_profile_without_rules_gets_some() -> None:
    text, _ = amend('{"defaultAction": "SCMP_ACT_ERRNO"}', seen("sysinfo"))
    assert [rule["names"] for rule in rules_of(text)] == [["sysinfo"]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: SeccompProfile\n", "SeccompProfile"),
        ("{}", "no rules and no default action"),
        ('{"defaultAction": "SCMP_ACT_NONE"}', "unknown action"),
        ("", "the file is empty"),
    ],
)
def test_what_cannot_be_amended_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        amend(text, seen("mkdirat"))


def test_a_manifest_is_refused_with_the_way_to_json() -> None:
    manifest = (
        "apiVersion: security-profiles-operator.x-k8s.io/v1beta1\nkind: SeccompProfile\n"
        "metadata: {name: a}\nspec: {defaultAction: SCMP_ACT_ERRNO}\n"
    )
    with pytest.raises(InputError, match="not a map in lines") as raised:
        amend(manifest, seen("mkdirat"))
    assert "profile convert --to docker" in raised.value.remedy


@given(resolved_profiles(), denials, st.sampled_from([None, 2, "\t"]), st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_an_amended_profile_allows_what_was_accepted_and_nothing_else(
    given_profile: Any, found: list[DenialEvidence], layout: int | str | None, crlf: bool
) -> None:
    given_profile = replace(given_profile, architectures=(), listener_path="")
    assume(not given_profile.default.kind.executes)
    text = json.dumps(make_document(given_profile), indent=layout)
    text = text.replace("\n", "\r\n") if crlf else text
    try:
        new, accepted = amend(text, *found, wider="bpf clone socket personality ptrace")
    except SeclatchError as error:  # rules for one call that libseccomp refuses or reorders
        assert "nothing was written" in str(error)
        event("refused")
        return
    event(f"{len(accepted)} accepted")
    before, after = profile(text), profile(new)
    difference = compare_profiles(before.enforced, after.enforced, HOST.arch)
    changed = {each.name for each in difference.changes}
    assert changed == {name for each in accepted for name in each.names}
    old = json.loads(text)["syscalls"]
    assert rules_of(new)[: len(old)] == old
    assert {**json.loads(new), "syscalls": old} == json.loads(text)
    for each in accepted:
        for denial in each.denials:
            assert after_allows(after, denial)


def after_allows(after: AmendedProfile, denial: DenialEvidence) -> bool:
    meaning = read_meaning(after.enforced, HOST.arch)
    if denial.args is None:
        return meaning.may_execute(denial.name)
    return meaning.verdict(denial.name, denial.args).kind.executes


def test_a_wrong_text_is_not_written() -> None:
    accepted = plan_proposals(profile(), [seen("mkdirat")], options()).offered
    wider = TEXT.replace('"read", ', '"read", "mkdirat", "mount", ')
    for text, problem in ((wider, "mount"), (TEXT, "mkdirat")):
        after = narrow_profile(parse_profile(text, ""), HOST)
        with pytest.raises(SeclatchError, match=problem):
            verify_amendment(profile().enforced, after, HOST.arch, accepted)


def test_what_runc_changes_besides_is_noted() -> None:
    text = TEXT.replace('"clone3", "statx"', '"statx"')
    chosen = options()
    accepted = plan_proposals(profile(text), [seen("faccessat2")], chosen).offered
    notes = write_amendment(profile(text), accepted, ()).notes
    assert any("under runc" in note for note in notes)
