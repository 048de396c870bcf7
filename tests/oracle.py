"""Compare two programs: both must answer every call at the edges alike."""

from __future__ import annotations

from collections.abc import Iterable

from seclatch.filter.boundary_calls import list_boundary_calls
from seclatch.filter.call_cases import normalize_action
from seclatch.filter.decompile import DecompiledFilter, decompile_filter
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.model.action import Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import SeccompData
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.compile_profile import Runtime, compile_profile


def express_action(value: int) -> Action:
    """Return the action as a profile can express it: without a trap's data."""
    action = normalize_action(value)
    return Action(action.kind) if action.kind is ActionKind.TRAP else action


def numbers(arch: Arch, names: Iterable[str] | None) -> list[int] | None:
    """Return the numbers of some calls that the architecture has; None for all calls."""
    known = load_syscalls(arch).numbers
    return None if names is None else [known[name] for name in names if name in known]


def differences(
    one: Filter,
    other: Filter,
    arches: Iterable[Arch],
    names: Iterable[str] | None = None,
) -> list[tuple[Arch, SeccompData, Action, Action]]:
    """Find calls at the edges of either program that the two answer differently."""
    first, second = CallEvaluator(one), CallEvaluator(other)
    found = []
    for arch in arches:
        for program in (one, other):
            for call in list_boundary_calls(program, arch, numbers(arch, names)):
                answers = express_action(first.value(call)), express_action(second.value(call))
                if answers[0] != answers[1]:
                    found.append((arch, call, *answers))
    return found


def round_trip(
    program: Filter, native: Arch, runtime: Runtime = Runtime.LIBSECCOMP
) -> DecompiledFilter:
    """Convert program → profiles → programs; require the same answer to every call at an edge."""
    found = decompile_filter(program, stub_apart=runtime is Runtime.RUNC)
    for profile in found.profiles:
        # The machine's own ABI comes first in libseccomp's output; only the profile's are compared.
        own = native if native in profile.architectures else profile.architectures[0]
        code = compile_profile(profile, runtime=runtime, native=own).code
        again = Filter.from_bytes(code, program.byteorder)
        for arch, call, *answers in differences(program, again, profile.architectures):
            name = load_syscalls(arch).names.get(call.number, "#")
            result = [one for one in found.kept if one.arch == arch.title]
            assert any(one.calls.startswith(name) for one in result), (arch, call, answers)
    return found
