"""A part of the corpus (`make bench` runs all): each set-up is explained without a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.explain.conftest import Explain
from tests.explain.corpus import Setup, all_setups, find_mistakes

pytestmark = pytest.mark.root

# One of each kind, by either runtime; set-ups that other tests here cover are left out.
CHOSEN = {
    "runc: fstatfs",
    "runc: setgid, setuid, execve by SCMP_ACT_ERRNO",
    "runc no_new_privs: close",
    "crun: setresgid",
    "crun no_new_privs: execve",
    "runc, program: a silent end",
    "crun, program: much later",
    "crun, program: killed by thread",
    "runc, program: trapped",
    "crun, program: in a child",
    "runc, program: a child killed",
    "crun, program: a shell's command",
    "runc, program: clone3",
    "crun, program: the loader's mprotect",
    "runc, program: rseq kills",
    "crun, program: another architecture",
    "runc, program: newer than its profile",
    "runc, hook",
    "crun, refused profile",
    "runc, no agent",
    "crun, program: traced",
    "runc, other: memory",
    "crun, other: memory",
    "runc, refused profile",
    "runc, other: no such program",
    "crun, other: not executable",
    "runc, other: mount",
    "crun, other: read-only",
    "runc, other: missing file",
    "crun, other: full",
    "runc, other: files",
    "crun, other: crash",
    "runc, other: own status",
    "crun, other: no mount source",
    "runc, other: cgroup",
    "runc, other: apparmor",
    "runc, other: denied, but for another reason",
}


def chosen() -> list[Setup]:
    found = [each for each in all_setups() if each.name in CHOSEN]
    assert {each.name for each in found} == CHOSEN
    return found


def test_the_corpus_is_as_large_as_promised() -> None:
    setups = list(all_setups())
    assert len({each.name for each in setups}) == len(setups) >= 60
    assert sum(each.truth.seccomp is False for each in setups) >= 20


@pytest.mark.parametrize("setup", chosen(), ids=lambda setup: setup.name)
def test_it_is_explained(
    explain: Explain, setup: Setup, broken_rootfs: Path, tmp_path: Path
) -> None:
    done = explain(setup.words(tmp_path / "bundle", broken_rootfs))
    mistakes = find_mistakes(done.document, setup.truth)
    assert not mistakes, (mistakes, done.document, done.done.stderr)
