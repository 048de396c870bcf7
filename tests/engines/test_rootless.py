"""The latch without root: rootless Podman, and runc and crun called by a user."""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Compiler
from tests.engines.conftest import require
from tests.engines.host import PrivateHost, wait_until
from tests.engines.image import make_archive, make_rootfs
from tests.engines.rootless import HOME, UID, Rootless
from tests.engines.system_log import system_log
from tests.latch.oci import READ_STATE, SCRIPTS, case
from tests.latch.test_methods import openable

DENIALS = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {"names": ["umask"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7},  # the gate's
        {"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 9},
    ],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, compiler: Compiler) -> Path:
    names = ("exit42", "first_denied", "errnos", "intruder", "opens_gate", "whoami")
    programs = {name: compiler(name) for name in names}
    made = make_rootfs(tmp_path_factory.mktemp("rootless") / "rootfs", programs)
    shutil.copy(made / "bin/whoami", made / "bin/suid")
    (made / "bin/suid").chmod(0o4755)
    return made


@pytest.fixture(scope="module")
def user(root: Path) -> Iterator[Rootless]:
    require("podman", "conmon", "crun", "runc", "newuidmap")
    host = PrivateHost().start()
    made = Rootless(host).begin(make_archive(root, root.parent / "image.tar"))
    place = host.path("/usr/local/lib/seclatch/podman")
    place.mkdir(parents=True)
    for name in ("runc", "crun"):
        shutil.copy(SCRIPTS / f"seclatch-{name}", place / name)
        (place / f"{name}.runtime").symlink_to(str(shutil.which(name)))
    shutil.copytree(root, host.path(HOME / "rootfs"), symlinks=True)
    made.run("true", check=True)
    yield made
    host.close()


@pytest.fixture(params=["runc", "crun"])
def front(request: pytest.FixtureRequest) -> Path:
    return Path("/usr/local/lib/seclatch/podman") / request.param


@pytest.mark.parametrize("no_new_privs", [False, True], ids=["gate", "hold"])
@pytest.mark.parametrize("profile", ["exit-only", "stali-like"])
def test_podman_run(user: Rootless, front: Path, profile: str, no_new_privs: bool) -> None:
    """Profiles under which the bare runtime starts nothing; one kills the program's first call."""
    file = user.file(f"{profile}.json", json.dumps(case(profile)))
    options: dict[str, Any] = {"profile": file, "no_new_privs": no_new_privs}
    if not no_new_privs:
        assert user.container(front.name, "/bin/exit42", **options).returncode not in (0, 42)
    user.methods()
    done = user.container(front, "/bin/exit42", **options)
    assert done.returncode == 42, done.stderr
    assert user.methods() == ["hold" if no_new_privs else "gate"]
    if profile == "exit-only":
        assert user.container(front, "/bin/first_denied", **options).returncode == 159  # SIGSYS


def test_the_system_log_names_the_method(user: Rootless, front: Path, tmp_path: Path) -> None:
    """The log names the method without any option; a gate is a warning.

    Podman takes lines in the runtime's own log for errors, so nothing is written there.
    """
    file = user.file("exit-only.json", json.dumps(case("exit-only")))
    user.methods()
    with system_log(user.host, tmp_path / "log") as lines:
        done = user.container(front, "/bin/exit42", profile=file, words=("--name", "told"))
        assert (done.stderr, done.returncode) == ("", 42)
        wait_until(lambda: len(lines()) == 1, "the gate's line")
        user.container(front, "/bin/exit42", profile=file, no_new_privs=True)
        wait_until(lambda: len(lines()) == 2, "the held filter's line")
    gate, held = lines()
    assert user.methods() == ["gate", "hold"]
    assert re.fullmatch(r"<28>seclatch\[\d+\]: road=gate pid=\d+ container=[0-9a-f]{64}", gate)
    assert re.fullmatch(r"<30>seclatch\[\d+\]: road=hold pid=\d+ container=[0-9a-f]{64}", held)


def test_podman_exec_and_start(user: Rootless, front: Path) -> None:
    file = user.file("denials.json", json.dumps(DENIALS))
    made = user.container(front, "sleep", "60", profile=file, verb=("create",))
    name = made.stdout.strip()
    try:
        assert user.podman("--runtime", front, "start", name).returncode == 0
        done = user.podman("--runtime", front, "exec", name, "/bin/errnos")
        assert done.stdout.split() == [str(errno.ENOSYS), "9"], done.stderr
        done = user.podman("--runtime", front, "exec", name, "cat", "/proc/self/status")
        assert "Seccomp_filters:\t1" in done.stdout
        assert "TracerPid:\t0" in done.stdout
    finally:
        user.podman("rm", "--force", "--time", "0", name)
    assert set(user.methods()) == {"gate"}


@pytest.mark.parametrize(
    ("no_new_privs", "words", "road", "result"),
    [
        (False, (), "gate", errno.ENOSYS),
        (True, (), "hold", 7),
        (False, ("--cap-add", "SYS_ADMIN"), "gate+exact", 7),
        (False, ("--userns", "keep-id"), "gate", errno.ENOSYS),
        (False, ("--user", "1000"), "gate", errno.ENOSYS),
    ],
)
def test_the_errno_of_a_gated_call(
    user: Rootless, front: Path, no_new_privs: bool, words: tuple[str, ...], road: str, result: int
) -> None:
    file = user.file("denials.json", json.dumps(DENIALS))
    user.methods()
    done = user.container(
        front, "/bin/errnos", profile=file, no_new_privs=no_new_privs, words=words
    )
    assert done.stdout.split() == [str(result), "9"], done.stderr
    assert user.methods() == [road]


@pytest.mark.parametrize("words", [(), ("--cap-add", "SYS_PTRACE"), ("--cap-add", "SYS_ADMIN")])
def test_the_gate_cannot_be_opened_from_inside(
    user: Rootless, front: Path, words: tuple[str, ...]
) -> None:
    file = user.file("openable.json", json.dumps(openable("SCMP_ACT_ERRNO")))
    done = user.container(front, "/bin/opens_gate", profile=file, words=words)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("no_new_privs", [False, True], ids=["gate", "hold"])
def test_a_program_cannot_write_to_the_init_of_an_exec_session(
    user: Rootless, front: Path, no_new_privs: bool
) -> None:
    """It can write to the sessions' programs, which are bound (tests/programs/intruder.c)."""
    rule = {"names": ["openat"], "action": "SCMP_ACT_ERRNO"}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    file = user.file("no-openat.json", json.dumps(profile))
    user.methods()
    options: dict[str, Any] = {"profile": file, "no_new_privs": no_new_privs}
    made = user.container(front, "/bin/intruder", "neighbour", verb=("run", "--detach"), **options)
    name = made.stdout.strip()

    def ask(*words: str) -> Any:
        return user.podman("--runtime", front, "exec", name, *words)

    try:
        wait_until(lambda: "ready" in user.podman("logs", name).stdout, "the attacker")
        for _ in range(6):
            ask("/bin/exit42")
        ask("sleep", "1")
        result = user.podman("logs", name).stdout.splitlines()
        opened = {line.split()[-1] for line in result if line.startswith("opened")}
        assert opened
        assert not [each for each in opened if each.endswith(front.name)], opened
    finally:
        changed = user.podman("diff", name).stdout.split()
        user.podman("rm", "--force", "--time", "0", name)
    assert "/tmp/intruded" not in changed
    assert set(user.methods()) == {"hold" if no_new_privs else "gate"}


def test_a_setuid_program_gains_what_it_gains_without_the_latch(
    user: Rootless, front: Path
) -> None:
    file = user.file("denials.json", json.dumps(DENIALS))
    options: dict[str, Any] = {"profile": file, "words": ("--user", "1000")}
    bare = user.container(front.name, "/bin/suid", **options)
    assert bare.stdout.split() == ["1000", "0"], bare.stderr
    assert user.container(front, "/bin/suid", **options).stdout == bare.stdout


def test_suspend_is_refused_and_plain_is_plain(user: Rootless, front: Path) -> None:
    file = user.file("exit-only.json", json.dumps(case("exit-only")))
    words = (
        "--runtime",
        front,
        "run",
        "--rm",
        "--network",
        "none",
        "--security-opt",
        f"seccomp={file}",
        "seclatch.test/busybox:latest",
        "/bin/exit42",
    )
    for mode, message in (
        ("suspend", "initial user namespace"),
        ("plain", None),
        ("refuse", "nothing was started: only a gate is possible"),
    ):
        done = user.podman(*words, env={"SECLATCH_MODE": mode})
        assert done.returncode not in (0, 42), mode
        assert not message or message in done.stderr, done.stderr
    assert user.podman(*words, env={"SECLATCH_MODE": "gate"}).returncode == 42


@pytest.mark.parametrize("many", [False, True], ids=["one-id", "newuidmap"])
@pytest.mark.parametrize("no_new_privs", [False, True], ids=["gate", "hold"])
@pytest.mark.parametrize("profile", ["exit-only", "stali-like"])
def test_a_runtime_without_an_engine(
    user: Rootless, front: Path, profile: str, no_new_privs: bool, many: bool
) -> None:
    """Run as in runc's instructions for rootless containers.

    With subordinate ids by set-uid newuidmap(1), which must not be traced. The first user namespace
    is the host's: no capability anywhere.
    """
    user.run(
        "sh", "-c", "rm -rf bundle; mkdir bundle && cd bundle && runc spec --rootless", check=True
    )
    path = user.host.path(HOME / "bundle/config.json")
    config = json.loads(path.read_text())
    config["process"].update(terminal=False, args=["/bin/exit42"], noNewPrivileges=no_new_privs)
    config["root"] = {"path": str(HOME / "rootfs"), "readonly": True}
    config["linux"]["seccomp"] = case(profile)
    if many:
        for kind in ("uidMappings", "gidMappings"):
            config["linux"][kind].append({"containerID": 1, "hostID": 200000, "size": 65536})
    user.file("bundle/config.json", json.dumps(config))
    # users have no cgroup v1
    option = ["--cgroup-manager=disabled"] if front.name == "crun" else []
    user.methods()
    done = user.run(front, "--log", HOME / "log", *option, "run", "--bundle", HOME / "bundle", "x")
    user.run(front, *option, "delete", "--force", "x")
    assert done.returncode == 42, done.stderr
    assert user.methods() == ["hold" if no_new_privs else "gate"]
    if not no_new_privs:
        words = (front, *option, "run", "--bundle", HOME / "bundle", "x")
        done = user.run(*words, env={"SECLATCH_MODE": "refuse"})
        user.run(front, *option, "delete", "--force", "x")
        assert done.returncode not in (0, 42)
        assert done.stderr.count("nothing was started: only a gate is possible") == 1, done.stderr


HIDDEN = """
mount -t proc -o hidepid=2 proc /proc && cd /run/rootless &&
exec setpriv --reuid 2000 --regid 2000 --clear-groups unshare -Urm "$@"
"""


@pytest.mark.parametrize("hook", [False, True], ids=["program", "hook"])
@pytest.mark.parametrize("readable", [True, False], ids=["readable", "hidden"])
@pytest.mark.parametrize("mode", ["hold", "refuse"])
def test_a_process_hidden_by_proc_is_bound_or_not_started(
    user: Rootless, mode: str, readable: bool, hook: bool
) -> None:
    """Run a file whose owner has no id in the user namespace: executable, and maybe unreadable.

    With hidepid the kernel hides a process that runs it from its own tracer.
    """
    program = user.host.path(HOME / "rootfs/bin/hidden")
    shutil.copy(user.host.path(HOME / "rootfs/bin/errnos"), program)
    program.chmod(0o755 if readable else 0o711)
    user.run("sh", "-c", "rm -rf bundle; mkdir bundle && cd bundle && runc spec", check=True)
    config = json.loads(user.host.path(HOME / "bundle/config.json").read_text())
    held = {"ambient", "bounding", "effective", "inheritable", "permitted"}
    config["process"].update(
        terminal=False,
        args=["/bin/hidden"],
        noNewPrivileges=mode == "hold",
        capabilities={each: [] for each in held},
        user={"uid": 0, "gid": 0},
    )
    if hook:
        config["process"]["args"] = ["/bin/true"]
        config["hooks"] = {"startContainer": [{"path": "/bin/hidden", "args": ["hidden", "hook"]}]}
    config["root"] = {"path": str(HOME / "rootfs"), "readonly": True}
    config["mounts"] = [
        each for each in config["mounts"] if each["destination"] in ("/proc", "/dev")
    ]
    config["linux"] = {
        "namespaces": [{"type": each} for each in ("pid", "ipc", "uts", "mount")],
        "seccomp": DENIALS,
    }
    user.file("bundle/config.json", json.dumps(config))
    user.methods()
    done = user.host.run(
        "unshare",
        "--mount",
        "sh",
        "-c",
        HIDDEN,
        "sh",
        "/usr/local/lib/seclatch/podman/crun",
        "--cgroup-manager=disabled",
        "run",
        "--bundle",
        HOME / "bundle",
        "hidden",
        env={
            "XDG_RUNTIME_DIR": f"/run/user/{UID}",
            "SECLATCH_LOG": str(HOME / "starts"),
            "SECLATCH_MODE": "refuse" if mode == "refuse" else "gate",
        },
    )
    result = done.stdout.split()
    assert result in ([], ["7", "9"]), done.stderr  # crun does not show the output of hooks
    assert (done.returncode == 0) == (mode == "hold" and readable), done.stderr
    assert user.methods() == (["hold"] if mode == "hold" and readable else [])


def test_a_host_hook_of_a_user_s_runtime(user: Rootless) -> None:
    """Run a hook of a user's crun, which runs hooks itself.

    crun's front guards itself, so a forked process hides its namespaces from the tracer until its
    exec, and after it if the program is not readable. Twenty starts: the hook runs beside init.
    """
    hook = user.host.path(HOME / "hook")
    shutil.copy(user.host.path(HOME / "rootfs/bin/busybox"), hook)
    hook.chmod(0o711)
    user.run(
        "sh", "-c", "rm -rf bundle; mkdir bundle && cd bundle && runc spec --rootless", check=True
    )
    config = json.loads(user.host.path(HOME / "bundle/config.json").read_text())
    config["process"].update(terminal=False, args=["/bin/exit42"], noNewPrivileges=True)
    config["root"] = {"path": str(HOME / "rootfs"), "readonly": True}
    config["linux"]["seccomp"] = case("exit-only")
    report = f"{READ_STATE}grep Seccomp: /proc/self/status >>{HOME}/hooked"
    user.host.path(HOME / "hooked").unlink(missing_ok=True)
    config["hooks"] = {"poststart": [{"path": str(HOME / "hook"), "args": ["sh", "-c", report]}]}
    user.file("bundle/config.json", json.dumps(config))
    user.methods()
    words = ["/usr/local/lib/seclatch/podman/crun", "--cgroup-manager=disabled"]
    for n in range(20):
        done = user.run(*words, "run", "--bundle", HOME / "bundle", f"hooked{n}")
        assert done.returncode == 42, done.stderr
    assert user.methods() == ["hold"] * 20
    assert user.host.path(HOME / "hooked").read_text() == "Seccomp:\t0\n" * 20
