"""Cause: the kernel guards a file besides its owner and mode: EPERM or EACCES even to root."""

from __future__ import annotations

from errno import EACCES, EPERM

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import FailureSymptom, find_symptom
from seclatch.model.capability import name_capabilities
from seclatch.model.stage import Stage
from seclatch.recording.backends.bpf.detail_events import Seen

_OPENING = {"open": 1, "openat": 2, "creat": -1}
_O_ACCMODE, _O_RDONLY = 3, 0
_CHANGING = {"unlink", "unlinkat", "rename", "renameat", "renameat2", "rmdir", "truncate"}
_LINKING = {"link", "linkat"}
_MOUNTING = {"mount", "move_mount", "fsmount", "fsopen", "open_tree", "umount2", "mount_setattr"}
_NEWUSER = 0x10000000
_EFFECTIVE = 2


def find_guarded_file(run: DiagnosedRun) -> FoundCause | None:
    """Find what the call, the error and the caller's capabilities say together."""
    symptom = find_symptom(run)
    if symptom is None or symptom.seen is None or symptom.stage is not Stage.PROGRAM:
        return None
    held = run.evidence.trace.segments[symptom.seen.segment].facts.capabilities
    caps = name_capabilities(held[_EFFECTIVE]) if held else frozenset()
    if symptom.errno == EACCES:
        return _judge_mount(symptom) if "CAP_SYS_ADMIN" in caps else None
    if symptom.errno != EPERM:
        return None
    return _judge_namespace(symptom, symptom.seen) or _judge_file(symptom, symptom.seen, caps)


def _judge_mount(symptom: FailureSymptom) -> FoundCause | None:
    if symptom.call not in _MOUNTING:
        return None
    words = "a security module denies mounts (AppArmor's docker-default does)"
    return _make_cause("lsm", words, symptom, "the caller has CAP_SYS_ADMIN")


def _judge_namespace(symptom: FailureSymptom, seen: Seen) -> FoundCause | None:
    if symptom.call not in ("unshare", "clone") or not seen.args[0] & _NEWUSER:
        return None
    fact = "it was called from within a chroot, or user.max_user_namespaces, "
    fact += "kernel.unprivileged_userns_clone or AppArmor forbids them (user_namespaces(7))"
    return _make_cause("permissions", "user namespaces cannot be made here", symptom, fact)


def _judge_file(symptom: FailureSymptom, seen: Seen, caps: frozenset[str]) -> FoundCause | None:
    if symptom.call in _LINKING and "CAP_FOWNER" not in caps:
        words = "links to files of other users are not allowed (fs.protected_hardlinks)"
        return _make_cause("permissions", words, symptom, "see proc_sys_fs(5)")
    if symptom.call in _CHANGING:
        words = "the file is immutable or append-only, or its directory is sticky"
        return _make_cause("permissions", words, symptom, "lsattr shows the first two")
    if symptom.call not in _OPENING:
        return None
    index = _OPENING[symptom.call]
    reads = index >= 0 and seen.args[index] & _O_ACCMODE == _O_RDONLY
    if reads or symptom.path.startswith("/dev/"):
        words = "the container's device cgroup does not allow this device"
        return _make_cause("cgroup", words, symptom, "start it with --device")
    words = "the file is immutable or append-only"
    return _make_cause("permissions", words, symptom, "lsattr shows it; chattr -i -a ends it")


def _make_cause(cause: str, words: str, symptom: FailureSymptom, fact: str) -> FoundCause:
    shown = symptom.text or symptom.path or symptom.call
    stage = symptom.stage.value
    return FoundCause(False, cause, f"{words}: {shown}", stage, [*symptom.evidence, fact])
