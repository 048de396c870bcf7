"""Each library rule is lifted for programs that use its feature, and for no others.

In both cases the rule must hold back at least one call.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seclatch.scan.analysis.library_rules import OLDEST, LibraryRule, Version, load_rules
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.ld.library_search import LoadedModule
from seclatch.scan.reach.rule_state import RuleState
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan import traced
from tests.scan.rule_callers import callers, unexplained
from tests.scan.rule_cases import CASES, HEADERS, KERNELS, NEVER, REALPATH, UNPRIVILEGED, access

HEAD = "#define _GNU_SOURCE\n" + "\n".join(f"#include <{each}.h>" for each in HEADERS)


def build(body: str, flags: tuple[str, ...], program: Path) -> Path:
    source = program.with_suffix(".c")
    source.write_text(f"{HEAD}\nint main(void) {{ {body} return 0; }}\n")
    words = ["gcc", "-O1", "-w", "-fno-builtin", "-o", program, source, *flags]
    subprocess.run(words, check=True, timeout=60)
    return program


def names(
    program: Path, cache: SummaryCache, environment: dict[str, str], kernel: Version = OLDEST
) -> set[str]:
    rootfs = Rootfs(Path("/"))
    try:
        target = ScanTarget(str(program), "built here", tuple(environment.items()))
        return {each.name for each in scan_program(rootfs, cache, target, (), kernel).calls}
    finally:
        rootfs.close()


def force(monkeypatch: pytest.MonkeyPatch, name: str, *, to: bool) -> None:
    """Lift one rule, or keep it, whatever the program imports."""
    is_held, is_open = RuleState.is_held, RuleState.is_open

    def forced_held(self: RuleState, rule: LibraryRule) -> bool:
        return not to if rule.name == name else is_held(self, rule)

    def forced_open(self: RuleState, rule: LibraryRule, module: LoadedModule) -> bool:
        return to if rule.name == name else is_open(self, rule, module)

    monkeypatch.setattr(RuleState, "is_held", forced_held)
    if not to:
        monkeypatch.setattr(RuleState, "_opened", lambda self, opens, held=None: [])
    monkeypatch.setattr(RuleState, "is_open", forced_open)


def kernel_of(rule: str) -> Version:
    """Return a kernel version at which a rule's names and constants decide."""
    return KERNELS[rule][0] if rule.endswith("-without-flags") else OLDEST


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_is_lifted_for_its_users(
    rule: str, cache: SummaryCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, kernel = CASES[rule], kernel_of(rule)
    program = build(case.opening, case.flags + case.libraries, tmp_path / "p")
    found = names(program, cache, case.environment, kernel)
    assert case.call in found
    log = tmp_path / "log"
    made = traced.trace([str(program)], log, environment=case.environment)[str(program)]
    assert made <= found
    force(monkeypatch, rule, to=False)
    assert case.call not in names(program, cache, case.environment, kernel)


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_holds_for_other_programs(
    rule: str, cache: SummaryCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, kernel = CASES[rule], kernel_of(rule)
    program = build(case.shut, case.libraries, tmp_path / "p")
    found = names(program, cache, {}, kernel)
    assert case.call not in found
    assert traced.trace([str(program)], tmp_path / "log")[str(program)] <= found
    force(monkeypatch, rule, to=True)
    assert case.call in names(program, cache, {}, kernel)


@pytest.mark.root
@pytest.mark.parametrize("flags", ["0", "AT_EACCESS", "AT_SYMLINK_NOFOLLOW"])
def test_access_on_kernels_without_faccessat2(
    flags: str, cache: SummaryCache, tmp_path: Path
) -> None:
    """The library decides itself, by the user and the groups, where the old call takes no flags."""
    program = build(UNPRIVILEGED + REALPATH + access(flags), (), tmp_path / "p")
    found = names(program, cache, {})
    made = traced.trace([str(program)], tmp_path / "log", missing="faccessat2")[str(program)]
    assert "faccessat2" in made
    assert made <= found
    assert ("getgroups" in made) is (flags == "AT_SYMLINK_NOFOLLOW")
    asked = {"getuid", "getgid", "getgroups"}
    assert (asked <= found) is (flags == "AT_SYMLINK_NOFOLLOW")


ACCESSES = {
    "existence": ('faccessat(0, "/etc", F_OK, AT_EACCESS);', False),
    "a mode": ('faccessat(0, "/etc", X_OK, AT_EACCESS);', True),
    "an unknown mode": ('faccessat(0, "/etc", getpid(), AT_EACCESS);', True),
    "unknown flags": ('faccessat(0, "/etc", F_OK, getpid());', False),
    "two calls": (
        'faccessat(0, "/etc", F_OK, AT_EACCESS); faccessat(0, "/etc", W_OK, AT_EACCESS);',
        True,
    ),
    "a pointer": ('int (*f)() = faccessat; asm("" : "+r"(f)); f(0, "/etc", F_OK, 0);', True),
    "a name": ('((int (*)())dlsym(0, "faccessat"))(0, "/etc", F_OK, 0);', True),
}


@pytest.mark.parametrize("how", ACCESSES)
def test_access_depends_on_the_mode_and_the_flags(
    how: str, cache: SummaryCache, tmp_path: Path
) -> None:
    body, expected = ACCESSES[how]
    found = names(build(body, (), tmp_path / "p"), cache, {})
    assert ("getgroups" in found) is expected


@pytest.mark.parametrize("rule", [name for name, case in NEVER.items() if case.call])
def test_a_rule_that_is_never_lifted_holds_something_back(
    rule: str, cache: SummaryCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = NEVER[rule]
    program = build(case.shut, case.libraries, tmp_path / "p")
    found = names(program, cache, {})
    assert case.call not in found
    assert traced.trace([str(program)], tmp_path / "log")[str(program)] <= found
    force(monkeypatch, rule, to=True)
    assert case.call in names(program, cache, {})


@pytest.mark.parametrize("rule", KERNELS)
def test_calls_for_old_kernels(rule: str, cache: SummaryCache, tmp_path: Path) -> None:
    case = {**CASES, **NEVER}[rule]
    body = case.opening if rule.endswith("-without-flags") else case.shut
    program = build(body, case.libraries, tmp_path / "p")
    old, new = KERNELS[rule]
    assert case.call in names(program, cache, {}, old)
    assert case.call not in names(program, cache, {}, new)


LIBRARIES = (
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    "/usr/aarch64-linux-gnu/lib/libc.so.6",
    "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1",
)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_rule_names_all_callers_of_its_calls(library: str, cache: SummaryCache) -> None:
    """In the installed library, no other function reaches the calls that a rule holds back."""
    module = LoadedModule(library, cache.summary(Path(library).read_bytes()))
    above = callers(module.summary)
    machine = module.summary.machine
    rules = [
        each
        for each in load_rules().rules
        if each.is_about(module.name, machine)
        and (each.opened_by or each.guards)
        and (each.syscalls or each.guards)
    ]
    assert rules
    found = {rule.name: unexplained(module, rule, above) for rule in rules}
    assert {name: each for name, each in found.items() if each} == {}


def test_every_rule_has_a_case() -> None:
    assert {each.name for each in load_rules().rules} == CASES.keys() | NEVER.keys()
