"""Broken set-ups of known cause, by which `seclatch explain` is measured.

Each takes a working start and breaks one thing, so that the truth needs no judgement: a call
removed from a profile that is otherwise sufficient, or a fault that has nothing to do with seccomp.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from tests.conftest import Compiler, fill_rootfs
from tests.latch.oci import READ_STATE, Bundle, Runtime, make_bundle

Change = Callable[[dict[str, Any], Path], None]


@dataclass(frozen=True)
class Truth:
    """The expected explanation.

    `calls`: the denied calls, one of which is the fatal one; `needs`: all calls that the runtime is
    denied.
    """

    seccomp: bool | None
    cause: str
    stage: str = ""
    calls: frozenset[str] = frozenset()
    needs: frozenset[str] | None = None


@dataclass(frozen=True)
class Setup:
    """A container without an engine, and its truth. `change` alters config.json further."""

    name: str
    runtime: str
    truth: Truth
    args: tuple[str, ...] = ("/bin/true",)
    profile: dict[str, Any] | None = None
    no_new_privileges: bool = False
    change: Change | None = None
    options: tuple[str, ...] = field(default=())

    def words(self, place: Path, rootfs: Path) -> list[str]:
        """Make the bundle; return the failing command."""
        bundle = self.bundle(place, rootfs)
        runtime = Runtime(self.runtime, latched=False, options=self.options)
        return runtime.argv("run", "--bundle", bundle.path, bundle.id)

    def bundle(self, place: Path, rootfs: Path) -> Bundle:
        bundle = make_bundle(
            place,
            rootfs,
            self.args,
            seccomp=self.profile,
            no_new_privileges=self.no_new_privileges,
        )
        if self.change:
            self.change(bundle.config, place)
            bundle.write()
        return bundle


def make_rootfs(root: Path, compiler: Compiler) -> Path:
    """Make a root with busybox, failing programs (static and dynamic), and unusable files."""
    fill_rootfs(root, compiler)
    shutil.copy(compiler("broken"), root / "bin/broken")
    shutil.copy(compiler("compat_calls"), root / "bin/compat_calls")
    dynamic = root / "bin/dynamic"
    source = Path(__file__).parent.parent / "programs/broken.c"
    subprocess.run(["gcc", "-O1", "-pthread", "-o", dynamic, source], check=True)
    result = subprocess.run(["ldd", dynamic], check=True, capture_output=True, text=True).stdout
    for word in result.split():
        if word.startswith("/"):
            target = root / word.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(word, target)
    (root / "bin/text").write_text("no program\n")
    (root / "bin/foreign").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    for name, mode in (("text", 0o644), ("foreign", 0o755)):
        (root / "bin" / name).chmod(mode)
    (root / "small").mkdir()
    return root


def denying(*calls: str, action: str = "SCMP_ACT_ERRNO", **more: Any) -> dict[str, Any]:
    """Make a profile that denies these calls alone."""
    rule = {"names": list(calls), "action": action, **more}
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}


def allowing(calls: set[str], action: str = "SCMP_ACT_ERRNO") -> dict[str, Any]:
    """Make a profile that allows these calls alone."""
    rule = {"names": sorted(calls), "action": "SCMP_ACT_ALLOW"}
    return {"defaultAction": action, "syscalls": [rule]}


# The calls that the runtimes issue under the filter and cannot do without (each found by removing
# it, after which the start fails), by runtime and no_new_privs.
VITAL = {
    ("runc", False): "openat fstatfs getdents64 close chdir capset setgid setuid execve",
    ("runc", True): "openat fstatfs getdents64 close execve",
    ("crun", False): "capset setresuid setresgid execve",
    ("crun", True): "execve",
}
OPENAT2 = load_syscalls(Arch.native()).numbers["openat2"]
_BOTH = {"runc": "runc", "crun": "crun"}


def all_setups() -> Iterator[Setup]:
    """Yield all set-ups."""
    yield from runtime_stage()
    yield from program_stage()
    yield from not_seccomp()


def _stopped(*calls: str) -> Truth:
    names = frozenset(calls)
    return Truth(True, "runtime-denied", "filtered-init", names, names)


def runtime_stage() -> Iterator[Setup]:
    """Yield set-ups in which the filter denies a call of the runtime."""
    for (runtime, quiet), calls in VITAL.items():
        mark = f"{runtime}{' no_new_privs' if quiet else ''}"
        for call in calls.split():
            yield Setup(
                f"{mark}: {call}",
                runtime,
                _stopped(call),
                profile=denying(call),
                no_new_privileges=quiet,
            )
        several = tuple(calls.split()[-3:])
        for action in ("SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO"):
            yield Setup(
                f"{mark}: {', '.join(several)} by {action}",
                runtime,
                _stopped(*several),
                profile=denying(*several, action=action),
                no_new_privileges=quiet,
            )


def _program(*calls: str) -> Truth:
    return Truth(True, "program-denied", "program", frozenset(calls))


def program_stage() -> Iterator[Setup]:
    """Yield set-ups in which the filter denies the program's call, at its start or later."""
    for runtime in _BOTH:
        cases: dict[str, tuple[tuple[str, ...], dict[str, Any], Truth]] = {
            "socket": (("/bin/broken", "socket"), denying("socket"), _program("socket")),
            "a silent end": (("/bin/broken", "quiet"), denying("uname"), _program("uname")),
            "much later": (("/bin/broken", "later"), denying("socket"), _program("socket")),
            "killed": (
                ("/bin/broken", "socket"),
                denying("socket", action="SCMP_ACT_KILL_PROCESS"),
                _program("socket"),
            ),
            "killed by thread": (
                ("/bin/broken", "socket"),
                denying("socket", action="SCMP_ACT_KILL_THREAD"),
                _program("socket"),
            ),
            "trapped": (
                ("/bin/broken", "socket"),
                denying("socket", action="SCMP_ACT_TRAP"),
                _program("socket"),
            ),
            "traced": (
                ("/bin/broken", "socket"),
                denying("socket", action="SCMP_ACT_TRACE"),
                _program("socket"),
            ),
            "in a child": (
                ("/bin/broken", "child", "socket"),
                denying("socket"),
                _program("socket"),
            ),
            "a child killed": (
                ("/bin/broken", "child", "socket"),
                denying("socket", action="SCMP_ACT_KILL_PROCESS"),
                _program("socket"),
            ),
            "a shell's command": (
                ("/bin/sh", "-c", "/bin/mkdir /tmp/x || exit 9"),
                denying("mkdir"),
                _program("mkdir"),
            ),
            "clone3": (("/bin/dynamic", "thread"), denying("clone3"), _program("clone3")),
            "the loader's mprotect": (
                ("/bin/dynamic", "", "0"),
                denying("mprotect"),
                _program("mprotect"),
            ),
            "rseq kills": (
                ("/bin/dynamic", "", "0"),
                denying("rseq", action="SCMP_ACT_KILL_PROCESS"),
                _program("rseq"),
            ),
            "another architecture": (
                ("/bin/compat_calls",),
                {**denying("swapon"), "architectures": []},
                Truth(True, "wrong-architecture", "program", frozenset()),
            ),
        }
        for name, (args, profile, truth) in cases.items():
            yield Setup(f"{runtime}, program: {name}", runtime, truth, args, profile)
    older = {each.name for each in load_syscalls(Arch.native()).all() if each.number < OPENAT2}
    yield Setup(
        "runc, program: newer than its profile",
        "runc",
        _program("openat2"),
        ("/bin/broken", "newest"),
        allowing(older),
    )
    yield Setup(
        "runc, hook",
        "runc",
        Truth(True, "hook-denied", "hook", frozenset({"mkdir"})),
        profile=denying("mkdir"),
        change=_hook,
    )
    yield Setup(
        "crun, refused profile",
        "crun",
        Truth(True, "profile-refused"),
        profile=denying("swapon", errnoRet=1, action="SCMP_ACT_KILL_PROCESS"),
    )
    yield Setup(
        "runc, no agent",
        "runc",
        Truth(True, "profile-refused"),
        profile=denying("mkdir", action="SCMP_ACT_NOTIFY"),
    )
    yield Setup(
        "runc, refused profile",
        "runc",
        Truth(True, "profile-refused"),
        profile=denying("write", action="SCMP_ACT_NOTIFY"),
    )


def _hook(config: dict[str, Any], _: Path) -> None:
    words = ["sh", "-c", f"{READ_STATE}/bin/mkdir /tmp/hook"]
    config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": words}]}
    config["mounts"].append(
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["rw"]}
    )


def _mount(config: dict[str, Any], **mount: Any) -> None:
    config["mounts"].append(mount)


def _small(config: dict[str, Any], _: Path) -> None:
    _mount(config, destination="/small", type="tmpfs", source="tmpfs", options=["size=64k"])


def _no_source(config: dict[str, Any], place: Path) -> None:
    _mount(config, destination="/tmp", type="bind", source=str(place / "no"), options=["bind"])


def _few_files(config: dict[str, Any], _: Path) -> None:
    config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 20, "soft": 20}]


_GROW = "a=xxxxxxxxxxxxxxxx; while :; do a=$a$a; done"


def _little_memory(config: dict[str, Any], _: Path) -> None:
    limit = 32 << 20
    config["process"]["rlimits"] = [{"type": "RLIMIT_AS", "hard": limit, "soft": limit}]


def _apparmor(config: dict[str, Any], _: Path) -> None:
    config["process"]["apparmorProfile"] = "seclatch-no-such-profile"


def _no_root(config: dict[str, Any], place: Path) -> None:
    config["root"]["path"] = str(place / "no-root")


def _cgroup(config: dict[str, Any], _: Path) -> None:
    config["linux"]["resources"]["unified"] = {"no.such": "1"}
    config["linux"]["resources"]["memory"] = {"limit": 1 << 20, "swap": 1}


_HARMLESS = denying("swapon", "reboot")


def _other(cause: str, stage: str = "program") -> Truth:
    return Truth(False, cause, stage)


def not_seccomp() -> Iterator[Setup]:
    """Yield failures that are unrelated to the profile."""
    for runtime in _BOTH:
        cases: dict[str, tuple[tuple[str, ...], Truth, Change | None]] = {
            "no such program": (("/bin/nowhere",), _other("missing-file", ""), None),
            "not in the path": (("nowhere",), _other("missing-file", ""), None),
            "not executable": (("/bin/text",), _other("not-executable", ""), None),
            "no format": (("/bin/foreign",), _other("not-executable", ""), None),
            "mount": (("/bin/broken", "mount"), _other("missing-capability"), None),
            "chown": (("/bin/broken", "chown"), _other("read-only"), None),
            "clock": (("/bin/broken", "clock"), _other("missing-capability"), None),
            "read-only": (("/bin/mkdir", "/new"), _other("read-only"), None),
            "missing file": (("/bin/cat", "/nowhere"), _other("missing-file"), None),
            "full": (("/bin/broken", "fill"), _other("no-space"), _small),
            "files": (("/bin/broken", "files"), _other("limit"), _few_files),
            "crash": (("/bin/broken", "segv"), _other("crash"), None),
            "memory": (("/bin/sh", "-c", _GROW), _other("limit"), _little_memory),
            "own status": (("/bin/broken", "", "17"), _other("program-failed"), None),
            "no mount source": (("/bin/true",), _other("missing-file", ""), _no_source),
            "no root": (("/bin/true",), _other("missing-file", ""), _no_root),
        }
        for name, (args, truth, change) in cases.items():
            yield Setup(f"{runtime}, other: {name}", runtime, truth, args, _HARMLESS, change=change)
    yield Setup(
        "runc, other: cgroup", "runc", _other("cgroup", ""), profile=_HARMLESS, change=_cgroup
    )
    yield Setup(
        "runc, other: apparmor", "runc", _other("lsm", ""), profile=_HARMLESS, change=_apparmor
    )
    yield Setup(
        "runc, other: denied, but for another reason",
        "runc",
        Truth(None, "possibly-denied"),
        ("/bin/broken", "tolerant"),
        denying("uname"),
    )


def find_mistakes(document: dict[str, Any], truth: Truth) -> list[str]:
    """Return the wrong fields of an explanation; empty when all are right."""
    fatal = {one["syscall"] for one in document["denials"] if one["fatal"]}
    needs = {one["syscall"] for one in document["needs"]["calls"]} if document["needs"] else None
    wrong = []
    if document["seccomp"] != truth.seccomp:
        wrong.append("seccomp")
    if document["cause"] != truth.cause:
        wrong.append("cause")
    if truth.stage and document["stage"] != truth.stage:
        wrong.append("stage")
    if truth.calls and not (fatal and fatal <= truth.calls):
        wrong.append("syscall")
    if truth.needs is not None and needs != truth.needs:
        wrong.append("needs")
    return wrong
