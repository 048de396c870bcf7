"""How a profile fits what a program was recorded to do, and how small one could be."""

from __future__ import annotations

import msgspec

from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.capability import name_capabilities
from seclatch.model.profile.fit_result import ProfileFit, ProfileSize
from seclatch.model.profile.profile import Profile
from seclatch.model.profile.profile_reasons import ProfileReasons
from seclatch.model.recording.call_matrix import list_entries
from seclatch.model.recording.recording import Recording
from seclatch.model.scan import Scan
from seclatch.model.stage import Stage
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.curated.default_profiles import load_default
from seclatch.profile.export.formats import write
from seclatch.profile.generate.arguments.recorded_arguments import (
    ArgumentVerdict,
    judge_arguments,
    recorded_values,
)
from seclatch.profile.generate.assemble_profile import AssemblyOptions, assemble_profile
from seclatch.profile.generate.explain_profile import explain_profile
from seclatch.profile.generate.generate_profile import GeneratorOptions, generate_profile
from seclatch.profile.generate.limits.recorded_limit import DEFAULT_CAPABILITIES, NEWEST_KERNEL
from seclatch.profile.meaning import rule_meaning
from seclatch.profile.parse.default_documents import default_version


def fit_profile(
    recording: Recording,
    profile: Profile | None = None,
    name: str = "",
    scan: Scan | None = None,
) -> ProfileFit:
    """Hold a resolved profile against a recording, on the architecture that it was made on.

    Without a profile there is the one for the program alone and Docker's default to compare.
    """
    arch = Arch.parse(recording.hosts[0].arch) if recording.hosts else Arch.native()
    program = _tried(recording, Stage.PROGRAM, arch)
    read = rule_meaning.read_meaning(profile, arch) if profile else None
    denied = _judged(recording, Stage.PROGRAM, arch, read)
    runtime_denied = _judged(recording, Stage.FILTERED_INIT, arch, read)
    generated, why_not, warnings = _generate(recording)
    return ProfileFit(
        arch=arch.title,
        profile=_size(read, name, arch) if read else None,
        unused=_open(read, arch, program) if read else [],
        refused=denied[ArgumentVerdict.DENIED],
        refused_for_some=denied[ArgumentVerdict.UNDECIDED],
        runtime_refused=runtime_denied[ArgumentVerdict.DENIED],
        runtime_refused_for_some=runtime_denied[ArgumentVerdict.UNDECIDED],
        program=_size(rule_meaning.read_meaning(generated, arch), "for the program alone", arch)
        if generated
        else None,
        generated=write(generated, "docker").text if generated else "",
        why_not=why_not,
        warnings=list(warnings),
        docker=docker_default(arch),
        reasons=_explain(recording, scan) if generated else None,
    )


def _explain(recording: Recording, scan: Scan | None) -> ProfileReasons | None:
    """Give the reasons of what `generate` makes by default; None where a profile cannot be read."""
    try:
        done = assemble_profile([recording], AssemblyOptions(scan=scan))
    except (ValueError, SeclatchError):
        return None
    return explain_profile(done, [recording], scan)


def docker_default(arch: Arch) -> ProfileSize:
    """Count what Docker's default profile leaves open in a container without further options."""
    caps = name_capabilities(DEFAULT_CAPABILITIES[Engine.DOCKER])
    profile = narrow_profile(load_default(Engine.DOCKER), Host(arch, caps, NEWEST_KERNEL))
    source = f"what {default_version('docker-default')} gives a container by default"
    size = _size(rule_meaning.read_meaning(profile, arch), "Docker's default", arch)
    return msgspec.structs.replace(size, source=source)


def _tried(recording: Recording, stage: Stage, arch: Arch) -> set[str]:
    """Name the calls that a stage made or was denied, in the native ABI."""
    return {
        each.name
        for each in list_entries(recording)
        if each.stage == stage.value and each.arch == arch.title and each.name
    }


def _judged(
    recording: Recording, stage: Stage, arch: Arch, read: rule_meaning.ProfileMeaning | None
) -> dict[ArgumentVerdict, list[str]]:
    """Sort a stage's calls by what the profile does to them with their recorded arguments."""
    calls: dict[ArgumentVerdict, list[str]] = {each: [] for each in ArgumentVerdict}
    if read:
        values = recorded_values(recording, stage.value, arch)
        for name in sorted(_tried(recording, stage, arch)):
            calls[judge_arguments(read, name, values.get(name, {}))].append(name)
    return calls


def _open(read: rule_meaning.ProfileMeaning, arch: Arch, used: set[str]) -> list[str]:
    names = load_syscalls(arch).numbers
    return sorted(name for name in names if name not in used and read.may_execute(name))


def _size(read: rule_meaning.ProfileMeaning, name: str, arch: Arch) -> ProfileSize:
    names = load_syscalls(arch).numbers
    may = [call for call in names if read.may_execute(call)]
    partly = [call for call in may if not read.always_executes(call)]
    return ProfileSize(name=name, open=len(may), partly=len(partly), of=len(names))


def _generate(recording: Recording) -> tuple[Profile | None, str, tuple[str, ...]]:
    try:
        made = generate_profile(recording, GeneratorOptions())
    except ValueError as error:
        return None, str(error), ()
    return made.profile, "", made.warnings
