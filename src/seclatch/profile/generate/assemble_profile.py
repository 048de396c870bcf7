"""Make a profile from recordings and a scan, in the order of the steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from seclatch.model.profile.profile import Profile
from seclatch.model.recording.merge_recordings import merge_recordings
from seclatch.model.recording.recording import Recording
from seclatch.model.scan import Scan
from seclatch.model.stage import Stage
from seclatch.profile.generate.arguments.narrow_arguments import recorded_values
from seclatch.profile.generate.arguments.scanned_arguments import (
    SELECTED,
    ScannedArguments,
    list_compared,
    narrow_added,
    read_scanned_arguments,
)
from seclatch.profile.generate.complete_profile import (
    CompletedProfile,
    CompletionOptions,
    complete_profile,
)
from seclatch.profile.generate.generate_profile import (
    GeneratedProfile,
    GeneratorOptions,
    generate_profile,
    list_stages,
)
from seclatch.profile.generate.join_scan import JoinedProfile, JoinPolicy, JoinVerdict, join_scan
from seclatch.profile.generate.limits.limit_arguments import make_argument_limit
from seclatch.profile.generate.limits.recorded_limit import RecordedLimit, find_limits
from seclatch.profile.generate.match_inputs import describe_unscanned, list_unscanned
from seclatch.profile.generate.running_phase import RunningPhase, select_running

_EXECUTE = ("execve", "execveat")


@dataclass(frozen=True, slots=True)
class AssemblyOptions:
    """Options of all steps.

    Without a scan `policy` means nothing; with a base the profile is not completed, and `exact`,
    `any_args`, `allow` and `wider` mean nothing. `any_args`: do not limit arguments to harmless
    and recorded ones. `role`: of the running phase, what the processes of one role do.
    """

    generator: GeneratorOptions = field(default_factory=GeneratorOptions)
    scan: Scan | None = None
    policy: JoinPolicy = JoinPolicy.PLAUSIBLE
    exact: bool = False
    any_args: bool = False
    role: str = ""
    allow: tuple[str, ...] = ()
    wider: tuple[str, ...] = ()


@dataclass(slots=True)
class AssembledProfile:
    """The profile, what its user should know, and what each step made."""

    profile: Profile
    warnings: list[str]
    made: GeneratedProfile
    recording: Recording
    stages: frozenset[str]
    running: RunningPhase | None = None
    joined: JoinedProfile | None = None
    completed: CompletedProfile | None = None
    scanned: ScannedArguments | None = None


def assemble_profile(recordings: Sequence[Recording], options: AssemblyOptions) -> AssembledProfile:
    """Generate, join with the scan, complete. Raises ValueError when there is nothing to allow."""
    stages = frozenset(list_stages(options.generator.first))
    running = None
    if options.generator.running:
        running = select_running(recordings, stages, options.role)
        recordings = running.recordings
    recording = merge_recordings(recordings)
    scanned = _read_scanned(recording, recordings, stages, options)
    options = replace(options, generator=replace(options.generator, scanned=scanned))
    made = generate_profile(recording, options.generator)
    warnings = [*(running.describe() if running else ()), *made.warnings]
    done = AssembledProfile(made.profile, warnings, made, recording, stages, running)
    if options.scan is not None:
        _join(done, recordings, options.scan, options.policy)
    if scanned is not None:
        _compare(done, scanned, options)
    if options.generator.base is None:
        done.completed = _complete(done, recordings, options)
        done.warnings += done.completed.warnings
        done.profile = done.completed.profile
    done.warnings += _about_scanned(done, options)
    return done


def _join(
    done: AssembledProfile, recordings: Sequence[Recording], scan: Scan, policy: JoinPolicy
) -> None:
    """Add the calls of the scan."""
    done.warnings += describe_unscanned(recordings, scan)
    boot_only = done.running.boot_only if done.running else None
    done.joined = join_scan(done.profile, done.made.recorded, scan, policy, boot_only)
    done.warnings += done.joined.warnings
    done.profile = done.joined.profile


def _compare(done: AssembledProfile, scanned: ScannedArguments, options: AssemblyOptions) -> None:
    """Choose the constants that count; with `narrow` compare those calls that the scan added."""
    if not options.generator.narrow:
        done.scanned = _select_scanned(done, scanned, options)
        return
    done.scanned = scanned
    rows = done.joined.rows if done.joined else ()
    added = {row.name for row in rows if row.verdict is JoinVerdict.PLAUSIBLE}
    done.profile = narrow_added(done.profile, added, scanned)


def _read_scanned(
    recording: Recording,
    recordings: Sequence[Recording],
    stages: frozenset[str],
    options: AssemblyOptions,
) -> ScannedArguments | None:
    """Return what scanned programs pass, if arguments are to be compared with it."""
    wanted = options.generator.narrow or not (options.any_args or options.generator.base)
    if options.scan is None or not wanted:
        return None
    recorded = recorded_values(recording.arguments, set(stages))
    return read_scanned_arguments(options.scan, list_unscanned(recordings, options.scan), recorded)


def _select_scanned(
    done: AssembledProfile, scanned: ScannedArguments, options: AssemblyOptions
) -> ScannedArguments:
    """Drop the constants where programs that were not scanned are bound, too."""
    allowed = {name for rule in done.profile.rules for name in rule.names}
    executes = sorted({*allowed, *options.allow, *options.wider}.intersection(_EXECUTE))
    reason = ""
    if options.generator.plain:
        reason = f"the profile binds {options.generator.plain}, too, which was not scanned"
    elif executes:
        reason = f"the profile allows {executes[0]}, and the scan has not all that it may execute"
    elif len(done.profile.architectures) > 1:
        reason = "programs of another architecture are bound, too"
    return replace(scanned, reason=scanned.reason or reason)


def _about_scanned(done: AssembledProfile, options: AssemblyOptions) -> Iterator[str]:
    """Say which arguments are compared with the scan's constants, and which not."""
    if done.scanned is None:
        return
    compared = SELECTED if options.generator.narrow else list_compared()
    names = {
        name for rule in done.profile.rules if rule.effect.kind.executes for name in rule.names
    }
    yield from done.scanned.describe([key for key in sorted(compared) if key[0] in names])


def _complete(
    done: AssembledProfile, recordings: Sequence[Recording], options: AssemblyOptions
) -> CompletedProfile:
    runtime: set[str] = set()
    if options.generator.plain:
        runtime = {name for rule in done.made.profile.rules for name in rule.names}
        runtime -= done.made.recorded
    limits = find_limits(recordings)
    if not options.any_args and done.profile.architectures:
        limits.append(_limit_arguments(done, options.generator))
    completion = CompletionOptions(
        options.exact,
        (*options.allow, *options.wider),
        options.wider,
        tuple(limits),
        frozenset(runtime),
        done.running.needs if done.running else {},
        _list_programs(recordings, done.stages),
    )
    return complete_profile(done.profile, completion)


def _list_programs(recordings: Sequence[Recording], stages: frozenset[str]) -> frozenset[str]:
    """Return the names of the executables that the container executed."""
    return frozenset(
        PurePosixPath(image.exe).name
        for recording in recordings
        for process in recording.processes
        for image in process.images
        if image.stage in stages
    )


def _limit_arguments(done: AssembledProfile, options: GeneratorOptions) -> RecordedLimit:
    arches = done.profile.architectures
    stages = done.stages | ({Stage.FILTERED_INIT.value} if options.plain else set())
    scanned = None if options.narrow else done.scanned
    return make_argument_limit(done.recording, arches[0], arches, stages, scanned)
