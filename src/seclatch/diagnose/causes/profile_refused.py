"""Cause: the profile itself was refused: by the engine, by the runtime or by the kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from errno import ENOENT, ENOTDIR

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.evidence.command_line import given_profile
from seclatch.diagnose.evidence.run_evidence import StderrLine
from seclatch.diagnose.evidence.sentences import strip_prefixes
from seclatch.diagnose.evidence.unseen_engine import find_client_of_unseen
from seclatch.model import errno
from seclatch.model.stage import Stage
from seclatch.recording.backends.bpf.detail_events import Seen

# From messages of runc 1.1.15, crun 1.21, engines and libseccomp's bindings.
_SECCOMP_MESSAGE = re.compile(
    r"seccomp (filter|profile|rule|agent|listener|notif|flags|receiver|adding|get |misses|unknown|"
    r"\(SECCOMP_)|seccomp_(rule|load|init|arch|export|attr|syscall)|seccomp: |loading seccomp|"
    r"(invalid|for) seccomp\b|unknown seccomp option|SCMP_|`seccomp|libseccomp|seccomp config|"
    r"listenerPath",
    re.IGNORECASE,
)
_ENGINE_MESSAGE = re.compile(r"^(docker|ctr|Error|time=|\{)")
# The first argument of calls that load a filter: <linux/seccomp.h>, <linux/prctl.h>.
_LOAD_OPERATIONS = {"seccomp": 1, "prctl": 22}


def find_refused_profile(run: DiagnosedRun) -> FoundCause | None:
    """Find a message that blames the profile, if no container was entered."""
    if any(session not in run.unstarted for session in run.evidence.staging.sessions):
        return None
    if not run.evidence.status or run.denials.all:
        return None
    unseen = find_client_of_unseen(run.evidence) is not None
    for message in reversed(run.engine_messages):
        # A client also passes on messages of a program.
        if _SECCOMP_MESSAGE.search(message.text) and (
            not unseen or _ENGINE_MESSAGE.match(message.text)
        ):
            return _find_missing_profile(run, message) or _make_cause(run, message)
    return None


def _make_cause(run: DiagnosedRun, message: StderrLine) -> FoundCause:
    loads = list(_list_refused_loads(run))
    program = "the kernel" if loads else _find_runtime(run, message) or message.program
    return FoundCause(
        True,
        "profile-refused",
        f"{program} refused the seccomp profile: {strip_prefixes(message.text)}",
        message.stage.value,
        [
            f"{run.evidence.find_syscall(call)}(2) failed with {errno.name_errno(call.errno)}"
            for call in loads[:1]
        ],
    )


def _find_missing_profile(run: DiagnosedRun, message: StderrLine) -> FoundCause | None:
    """Return a missing file as the cause: a file that was not read cannot be refused."""
    given = given_profile(run.evidence.command)
    missing = run.failing_calls(
        lambda failure: (
            failure.errno in (ENOENT, ENOTDIR) and bool(given) and failure.text.endswith(given)
        )
    )
    if not missing:
        return None
    return FoundCause(
        False,
        "missing-file",
        f"the profile {given} is not there: {strip_prefixes(message.text)}",
        message.stage.value,
        [f'the kernel itself answered {errno.name_errno(missing[0].errno)} to "{missing[0].text}"'],
    )


def _find_runtime(run: DiagnosedRun, message: StderrLine) -> str:
    """Return the runtime, if one ran or the message is a runtime's."""
    evidence = run.evidence
    for segment in evidence.trace.segments:
        if evidence.stage(segment) is Stage.RUNTIME:
            return evidence.program(segment)
    match = re.search(r"OCI runtime|\b(runc|crun)\b", message.text)
    return (match[1] or "the runtime") if match else ""


def _list_refused_loads(run: DiagnosedRun) -> Iterator[Seen]:
    """Yield loads that the kernel refused; libseccomp's probes pass no program."""
    evidence = run.evidence
    for failure in reversed(evidence.failures):
        loads = (
            failure.args[0] == _LOAD_OPERATIONS.get(evidence.find_syscall(failure).name)
            and failure.args[2] != 0
        )
        if loads and evidence.stage(failure.segment) in (Stage.INIT, Stage.RUNTIME):
            yield failure
