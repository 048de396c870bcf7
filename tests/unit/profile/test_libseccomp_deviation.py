"""Programs that deviate from their rules: each is found, with a call that shows it."""

import json
import struct
from dataclasses import replace

import pytest

from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.model.action import Action, ActionKind, Operator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.finding import Finding
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.model.seccomp_data import SeccompData
from seclatch.profile.check_profile import check_profile
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Host
from seclatch.profile.export.formats import write
from seclatch.profile.meaning import libseccomp_deviation
from seclatch.profile.meaning.libseccomp_deviation import find_deviations
from seclatch.profile.parse.load_profile import parse_document

ALLOW, DENY = Action(ActionKind.ALLOW), Action(ActionKind.ERRNO, 1)
HIGH = 7 << 32 | 9
OTHER = {Operator.GT: Operator.GE, Operator.LE: Operator.LT, Operator.MASKED_EQ: Operator.EQ}


def profile(*args: Arg, arch: Arch = Arch.X86_64) -> Profile:
    rules = tuple(Rule(("ioctl",), "SCMP_ACT_ALLOW", args=(arg,)) for arg in args)
    return Profile("SCMP_ACT_ERRNO", rules, (arch,))


def program(of: Profile, native: Arch = Arch.X86_64) -> Filter:
    code = compile_profile(of, runtime=Runtime.LIBSECCOMP, native=native).code
    return Filter.from_bytes(code, "little" if native.little else "big")


NATIVE = [Arch.X86_64, Arch.AARCH64, Arch.S390X, Arch.PPC, Arch.ARM, Arch.MIPS64]


@pytest.mark.parametrize("operator", Operator)
@pytest.mark.parametrize("native", NATIVE, ids=lambda arch: arch.title)
def test_one_comparison(operator: Operator, native: Arch) -> None:
    """Of either width and byte order; the last bit of the value decides."""
    value = HIGH if native.bits == 64 else 9
    arg = Arg(1, operator, value, 8 if operator is Operator.MASKED_EQ else 0)
    meant = profile(arg, arch=native)
    assert not list(find_deviations(meant, native, program(meant, native)))
    other = profile(
        replace(arg, operator=OTHER.get(operator, operator), value=value - 1), arch=native
    )
    found = list(find_deviations(other, native, program(meant, native)))
    assert len(found) == 1
    call, args, message, made = found[0]
    assert (call.arch, call.name) == (native, "ioctl") and {message, made} == {ALLOW, DENY}
    answer = CallEvaluator(program(meant, native)).value(
        SeccompData(native.audit, call.number, args)
    )
    assert answer == made.ret
    assert (
        CallEvaluator(program(other, native)).value(SeccompData(native.audit, call.number, args))
        == message.ret
    )


def test_each_abi_is_checked_separately() -> None:
    """Arguments of 32-bit ABIs have no upper half: only x86-64 differs there."""
    both = replace(profile(Arg(1, Operator.EQ, HIGH)), architectures=(Arch.X86_64, Arch.X86))
    low = replace(both, rules=profile(Arg(1, Operator.EQ, 9)).rules)
    (found,) = find_deviations(low, Arch.X86_64, program(both))
    assert found.call.arch is Arch.X86_64
    found32 = find_deviations(replace(low, rules=()), Arch.X86_64, program(both))
    assert not list(found32)  # calls without conditions are not checked


def test_unsupported_computations_are_tried_at_their_edges() -> None:
    """A shift: no rule compiles to one, and no set of words expresses it."""
    shifted = [(0x20, 0, 0, 16), (0x74, 0, 0, 4), (0x54, 0, 0, 15), (0x15, 0, 1, 1)]
    lines = [*shifted, (6, 0, 0, ALLOW.ret), (6, 0, 0, DENY.ret)]
    made = Filter.from_bytes(b"".join(struct.pack("<HBBI", *line) for line in lines))
    meant = profile(Arg(0, Operator.MASKED_EQ, 0xF0, 0x10))
    assert not list(find_deviations(meant, Arch.X86_64, made))
    other = profile(Arg(0, Operator.MASKED_EQ, 0xF0, 0x20))
    assert list(find_deviations(other, Arch.X86_64, made))


def test_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libseccomp_deviation, "MAX_STEPS", 0)
    monkeypatch.setattr(libseccomp_deviation, "MAX_CALLS", 0)
    meant = profile(*(Arg(0, Operator.EQ, value) for value in range(50)))
    assert not list(find_deviations(profile(Arg(0, Operator.EQ, 99)), Arch.X86_64, program(meant)))


def test_a_branch_shared_by_two_abis_is_found() -> None:
    """libseccomp up to 2.6.1 at least shares x86's test of arg0 with x86-64.

    There arg1 is in the accumulator. Conditions with equality have the fault too; a profile for
    one ABI has not.
    """
    rules = (
        Rule(
            ("mkdirat",),
            "SCMP_ACT_ALLOW",
            args=(Arg(0, Operator.EQ, 0xFFFFFFFF), Arg(1, Operator.EQ, 8)),
        ),
        Rule(("mkdirat",), "SCMP_ACT_LOG", args=(Arg(0, Operator.EQ, 3),)),
        Rule(("mkdirat",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.EQ, (1 << 32) + 5),)),
    )
    shared = Profile("SCMP_ACT_ERRNO", rules, (Arch.X86_64, Arch.X86))
    call = SeccompData(Arch.X86_64.audit, 258, (0xFFFFFFFF, 3, 0, 0, 0, 0))
    if CallEvaluator(program(shared)).value(call) == DENY.ret:
        pytest.skip("this libseccomp has no such fault")
    (found,) = find_deviations(shared, Arch.X86_64, program(shared))
    assert (found.call.arch, found.call.name, found.said) == (Arch.X86_64, "mkdirat", DENY)
    document = json.loads(write(shared, "docker").text)
    result = [each.code for each in _check(document)]
    assert "miscompiled" in result
    document["architectures"] = ["SCMP_ARCH_X86_64"]
    assert "miscompiled" not in [each.code for each in _check(document)]


def _check(document: object) -> list[Finding]:
    return check_profile(
        parse_document(json.dumps(document), "x"), Host(Arch.X86_64, kernel=(6, 12))
    )
