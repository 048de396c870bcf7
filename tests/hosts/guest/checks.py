"""Checks in a guest: a line for each, `@@ CHECK name: outcome`, for the host to read.

An outcome names what the program did where several results are right (which back end recorded, the
reason of a refusal); "FAILED …" is wrong on any kernel.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.latch.oci import Bundle, Runtime, case, make_bundle

DATA = Path(__file__).parents[2] / "data"
STRICT = DATA / "stali-like.json"
SCRIPTS = Path(sys.executable).parent
SECLATCH = str(SCRIPTS / "seclatch")
YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
STATUS = ("/bin/grep", "Seccomp:", "/proc/self/status")
GOOD = ("ok", "note")
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
NO_BPF = ("setpriv", "--bounding-set=-sys_admin,-bpf,-perfmon")
NO_NET = ("--network", "none")

Done = subprocess.CompletedProcess[str]


def run(*words: str | Path, seconds: float = 300, env: dict[str, str] | None = None) -> Done:
    try:
        return subprocess.run(
            [str(word) for word in words],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 124, "", f"no end within {seconds:.0f} s")


def last(done: Done) -> str:
    """Return a command's status and the last lines of its output."""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return f"status {done.returncode}: {' / '.join(lines[-3:])[:400]}"


def require(condition: object, done: Done) -> None:
    if not condition:
        raise AssertionError(last(done))


def check_doctor() -> str:
    done = run(SECLATCH, "doctor", "--json")
    require(done.stdout.startswith("{"), done)
    checks = json.loads(done.stdout)["checks"]
    wrong = [f"{one['name']}: {one['found']}" for one in checks if one["state"] not in GOOD]
    if wrong or done.returncode:
        raise AssertionError("; ".join(wrong)[:400])
    return "ok"


def check_latch(runtime: str, bundle: Bundle) -> Callable[[], str]:
    """Check that a strict profile binds the program and fails the bare runtime.

    At Yama's level 3 nothing starts.
    """

    def check() -> str:
        words = ("run", "--bundle", bundle.path, bundle.id)
        done = Runtime(runtime)(*words, timeout=120)
        if read_scope() == 3:
            require(done.returncode == 125 and "ptrace_scope" in done.stderr, done)
            return "refused: ptrace_scope"
        require(done.stdout.split() == ["Seccomp:", "2"], done)
        bare = Runtime(runtime, latched=False).bound(*words)
        Runtime(runtime, latched=False)("delete", "--force", bundle.id)
        require(bare.returncode != 0 and "Seccomp" not in bare.stdout, bare)
        return "ok"

    return check


def check_apply() -> str:
    shown = ("/usr/bin/busybox", "grep", *STATUS[1:])
    done = run(*UNPRIVILEGED, SECLATCH, "apply", "--profile", STRICT, "--", *shown)
    if read_scope() >= 2:
        require(done.returncode and "ptrace_scope" in done.stderr, done)
        return "refused: ptrace_scope"
    require(done.stdout.split() == ["Seccomp:", "2"], done)
    return "ok"


def check_record(*before: str) -> Callable[[], str]:
    """Return the back end; for ptrace, stderr must give the reason and the cost."""

    def check() -> str:
        path = Path("/tmp/true.recording.json")
        path.unlink(missing_ok=True)
        done = run(*before, SECLATCH, "record", "-o", path, "--", "/bin/true")
        require(done.returncode == 0 and path.exists(), done)
        recording = json.loads(path.read_text())
        names = {call["name"] for call in recording["calls"]}
        require({"mmap", "exit_group"} <= names, done)
        if "with ptrace" in done.stderr:
            require("times as long" in done.stderr and "(eBPF: " in done.stderr, done)
            return f"ptrace: {' '.join(done.stderr.split())[:300]}"
        return "eBPF"

    return check


def check_recorded_denials() -> str:
    """Return how denials were found; a filter that reaches another thread counts in both."""
    program, path = Path("/tmp/denials"), Path("/tmp/denials.recording.json")
    source = DATA.parent / "programs/denials.c"
    done = run("gcc", "-O2", "-pthread", "-o", program, source)
    require(done.returncode == 0, done)
    done = run(SECLATCH, "record", "-o", path, "--", program, "errno", "tsync")
    require(path.exists(), done)
    recording = json.loads(path.read_text())
    denials = [(each["name"], each["errno"], each["count"]) for each in recording["denials"]]
    filters = [each for each in recording["events"] if each["kind"] == "filter"]
    require(denials == [("getppid", 7, 3)] and len(filters) == 2, done)
    script = (
        "from seclatch.recording.backends.bpf import loader; "
        "print('by the check' if 'count_call' in loader.load().attached else 'by exits')"
    )
    found = run(sys.executable, "-c", script)
    return found.stdout.strip() if found.returncode == 0 else "ptrace"


def check_ps() -> str:
    words = (SECLATCH, "run", "--profile", STRICT, "--", "/bin/sleep", "1000")
    with started(*words) as process:
        for _ in range(60):
            done = run(SECLATCH, "ps", "--json")
            require(done.returncode == 0, done)
            listing = json.loads(done.stdout)
            found = [one for one in listing["processes"] if one["seccomp"] == 2]
            require(process.poll() is None, done)
            # Where no filter can be identified, a note says so.
            if found and (listing["notes"] or any(one["filters"] for one in found)):
                break
    require(found, done)
    return "; ".join(["ok", *listing["notes"]])[:300]


def check_watch(*options: str) -> Callable[[], str]:
    """Return the check of how, and how often, a denied mkdir is seen."""

    def check() -> str:
        log = Path(f"/tmp/denials{''.join(options)}.json")
        words = (SECLATCH, "watch", "--quiet", "-o", log, *options)
        with started(*words) as process:
            while not (log.exists() and log.read_text()) and process.poll() is None:
                time.sleep(0.1)
            if process.poll() is not None:
                return "refused"
            run(SECLATCH, "run", "--profile", STRICT, "--", "/bin/mkdir", "/tmp/denied-here")
            silent = "errno" not in read_lines(log)[0]["sees"]
            end = time.monotonic() + (3 if silent else 120)  # emulated, on a busy machine
            while time.monotonic() < end and not count_mkdir(log):
                time.sleep(0.5)
        lines, count = read_lines(log), count_mkdir(log)
        require(count == (0 if silent else 1), run("tail", "-n", "3", log))
        return f"{lines[0]['way']}, {count} seen"

    return check


def read_lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def count_mkdir(log: Path) -> int:
    lines = read_lines(log)
    return sum(one["count"] for one in lines if one.get("syscall") in ("mkdir", "mkdirat"))


@contextlib.contextmanager
def started(*words: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def options() -> tuple[str, ...]:
    return (*NO_NET, "--security-opt", f"seccomp={STRICT}")


SHOW = ("/bin/sh", "-c", "cat /proc/self/attr/current; grep Seccomp: /proc/self/status")


def confined(done: Done, profile: str) -> str:
    """Check that the filter is loaded, and AppArmor's profile where AppArmor is on."""
    words = done.stdout.replace("\0", "").split()
    require(words[-2:] == ["Seccomp:", "2"], done)
    if not Path("/sys/kernel/security/apparmor/profiles").exists():
        return "ok, no AppArmor"
    # The name of Podman's profile contains its version.
    require(words[0].startswith(profile) and words[1] == "(enforce)", done)
    return f"ok, {words[0]} enforced"


def check_docker() -> str:
    done = run("docker", "run", "--rm", "--runtime", "seclatch", *options(), "bb", *SHOW)
    if read_scope() == 3:
        require(done.returncode and "ptrace_scope" in done.stderr, done)
        return "refused: ptrace_scope"
    return confined(done, "docker-default")


def check_docker_exec() -> str:
    words = ("docker", "run", "-d", "--name", "execs", "--runtime", "seclatch", *options())
    require((done := run(*words, "bb", "/bin/sleep", "1000")).returncode == 0, done)
    done = run("docker", "exec", "execs", *SHOW)
    run("docker", "rm", "-f", "execs")
    return confined(done, "docker-default")


def check_podman() -> str:
    words = ("podman", "--runtime", SCRIPTS / "seclatch-crun", "run", "--rm", *options())
    return confined(run(*words, "localhost/bb", *SHOW), "containers-default")


def explain(*words: str | Path) -> tuple[Done, dict[str, Any]]:
    """Explain a command; nothing but its messages where the recorder cannot run here."""
    path = Path("/tmp/explanation.json")
    path.unlink(missing_ok=True)
    done = run(SECLATCH, "explain", "--confirm", "never", "--json", "-o", path, "--", *words)
    require(path.exists() or "recording with eBPF" in done.stderr, done)
    return done, json.loads(path.read_text()) if path.exists() else {}


def check_explain() -> str:
    done, found = explain("docker", "run", "--rm", *options(), "bb", "/bin/true")
    if not found:
        return f"refused: {' '.join(done.stderr.split())[:200]}"
    require(found["seccomp"] and found["cause"] == "runtime-denied", done)
    return f"ok, {found['cause']}"


def check_explain_apparmor() -> str:
    if not Path("/sys/kernel/security/apparmor/profiles").exists():
        return "no AppArmor"
    mount = ("/bin/busybox", "mount", "-t", "tmpfs", "x", "/tmp")
    done, found = explain("docker", "run", "--rm", *NO_NET, "--cap-add", "SYS_ADMIN", "bb", *mount)
    if not found:
        return "refused: no eBPF"
    require(found["seccomp"] is False and "security module" in found["summary"], done)
    return f"ok, {found['cause']}"


def read_scope() -> int:
    return int(YAMA.read_text()) if YAMA.exists() else 0


def report(name: str, check: Callable[[], str]) -> None:
    began = time.monotonic()
    try:
        outcome = check()
    except AssertionError as error:
        outcome = f"FAILED {error}"
    except Exception as error:
        outcome = f"FAILED {type(error).__name__}: {error}"
    print(f"\n@@ CHECK {name}: {outcome} ({time.monotonic() - began:.0f} s)", flush=True)


def make_root() -> Path:
    """Make a root directory of busybox, for bundles and the engines' image."""
    root = Path("/tmp/bb")
    for name in ("bin", "proc", "tmp", "etc", "dev", "sys"):
        (root / name).mkdir(parents=True)
    subprocess.run(["cp", "/usr/bin/busybox", root / "bin"], check=True)
    for name in ("sh", "cat", "grep", "sleep", "true", "mkdir", "ls"):
        (root / "bin" / name).symlink_to("busybox")
    return root


def start_engines(root: Path) -> None:
    """Start dockerd, give both engines an image of busybox, install the latch."""
    subprocess.run(["tar", "-C", root, "-cf", "/tmp/bb.tar", "."], check=True)
    words = ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    with Path("/tmp/dockerd.log").open("wb") as log:
        subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    for _ in range(240):
        if run("docker", "info").returncode == 0:
            break
        time.sleep(1)
    for step in (
        ("docker", "import", "/tmp/bb.tar", "bb"),
        (SECLATCH, "install", "docker"),
        ("podman", "import", "/tmp/bb.tar", "localhost/bb"),
    ):
        if (done := run(*step)).returncode:
            print(f"\n@@ NOTE {' '.join(map(str, step[:2]))}: {last(done)}", flush=True)
    if (done := run("docker", "info")).returncode:
        print(f"\n@@ NOTE {last(run('tail', '-n', '5', '/tmp/dockerd.log'))}", flush=True)


def list_checks(engines: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "doctor", check_doctor
    yield "record", check_record()
    yield "record denials", check_recorded_denials
    yield "record without CAP_BPF", check_record(*NO_BPF)
    yield "ps", check_ps
    yield "watch", check_watch()
    yield "watch --way calls", check_watch("--way=calls")
    yield "watch --cheap", check_watch("--cheap")
    if engines:
        yield "docker run", check_docker
        yield "docker exec", check_docker_exec
        yield "podman run", check_podman
        yield "explain seccomp", check_explain
        yield "explain AppArmor", check_explain_apparmor


def main(arguments: Sequence[str]) -> None:
    """Run the checks once, then those of the latch at each Yama level; level 3 cannot be undone."""
    engines = "engines" in arguments
    root = make_root()
    bundle = make_bundle(Path("/tmp/bundle"), root, STATUS, seccomp=case(STRICT.stem))
    if engines:
        start_engines(root)
    for name, check in list_checks(engines):
        report(name, check)
    for scope in range(4) if YAMA.exists() else ():
        YAMA.write_text(str(scope))
        for runtime in ("runc", "crun"):
            report(f"latch, {runtime}, Yama {scope}", check_latch(runtime, bundle))
        report(f"apply, Yama {scope}", check_apply)
        if engines and scope == 3:
            report(f"docker run, Yama {scope}", check_docker)


if __name__ == "__main__":
    main(sys.argv[1:])
