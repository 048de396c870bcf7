"""The causes in the order in which they are tried: evidence from calls before messages."""

from __future__ import annotations

from seclatch.diagnose.causes import (
    cgroup,
    engine_failed,
    exhausted,
    guarded_file,
    hook_denied,
    killed,
    lsm,
    missing_capability,
    missing_file,
    name_resolution,
    not_executable,
    not_seen,
    nothing_failed,
    possibly_denied,
    profile_refused,
    program_denied,
    program_failed,
    read_only,
    runtime_denied,
    unknown,
    unwatched,
    wrong_architecture,
)
from seclatch.diagnose.causes.diagnosed_run import CauseFinder, DiagnosedRun, FoundCause

CAUSES: tuple[CauseFinder, ...] = (
    nothing_failed.find_no_failure,
    wrong_architecture.find_wrong_architecture,
    runtime_denied.find_denied_runtime,
    hook_denied.find_denied_hook,
    program_denied.find_denied_program,
    profile_refused.find_refused_profile,
    unwatched.find_unwatched_engine,
    not_seen.find_unseen_build,
    not_seen.find_unseen_container,
    possibly_denied.find_possible_denial,
    cgroup.find_cgroup_error,
    lsm.find_lsm_denial,
    read_only.find_read_only_file_system,
    name_resolution.find_unresolved_name,
    guarded_file.find_guarded_file,
    not_executable.find_unexecutable_file,
    missing_file.find_missing_file,
    exhausted.find_exhausted_resource,
    missing_capability.find_missing_capability,
    killed.find_killing_signal,
    program_failed.find_failed_program,
    engine_failed.find_engine_failure,
    unknown.find_unknown_cause,
)


def find_cause(run: DiagnosedRun) -> FoundCause:
    """Return the first cause that applies; the last always does."""
    for cause in CAUSES:
        if found := cause(run):
            return found
    raise AssertionError("the last cause always fits")
