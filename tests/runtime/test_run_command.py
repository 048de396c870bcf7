"""The command's surroundings: status, input and output, user, files, network, capabilities."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.conftest import Run


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_exit_status_is_the_commands(run: Run, status: int) -> None:
    assert run("--", "sh", "-c", f"exit {status}").returncode == status


def test_status_of_a_signal(run: Run) -> None:
    # Not the first process: it ignores signals without a handler (pid_namespaces(7)).
    assert run("--", "sh", "-c", "sh -c 'kill -SEGV $$'; exit $?").returncode == 128 + 11


@pytest.mark.parametrize(
    ("command", "status"),
    [("/nonexistent", 127), ("nonexistent", 127), ("/etc/passwd", 126), ("/bin", 126)],
)
def test_command_that_cannot_be_run(run: Run, command: str, status: int) -> None:
    result = run("--", command)
    assert result.returncode == status
    assert command in result.stderr


def test_command_without_permission(run: Run, runtime: str, exit_42: Path, tmp_path: Path) -> None:
    (tmp_path / "exit42").hardlink_to(exit_42 / "exit42")
    tmp_path.chmod(0o700)
    result = run("--rootfs", tmp_path, "--user", "1000", "/exit42")
    assert "ermission denied" in result.stderr
    assert "{" not in result.stderr
    # crun finds out at the exec itself, and returns the same as for a program's own status 1.
    assert result.returncode == {"runc": 126, "crun": 1}[runtime]


def test_a_missing_filter_is_reported(run: Run) -> None:
    result = run("grep", "Seccomp:", "/proc/self/status")
    assert result.stdout == "Seccomp:\t0\n"
    assert result.stderr == (
        "seclatch: no --profile given: the container runs without a seccomp filter\n"
    )


def test_arguments_after_the_command_are_its_own(run: Run) -> None:
    assert run("echo", "--tty", "-u", "nobody").stdout == "--tty -u nobody\n"


def test_big_input_through_a_pipe(run: Run) -> None:
    size = 8 << 20
    result = run("wc", "-c", input="x" * size, stdin=None)
    assert result.stdout.strip() == str(size)


def test_closed_standard_files(argv: Callable[..., list[str]]) -> None:
    result = subprocess.run(
        ["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *argv("sh", "-c", "cat && exit 5")],
        check=False,
        timeout=120,
    )
    assert result.returncode == 5


def test_output_closed_early(argv: Callable[..., list[str]], own_name: str) -> None:
    with subprocess.Popen(
        argv("--name", own_name, "yes"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"y\n"
        process.stdout.close()
        assert process.wait(120) != 0


def test_user_of_the_rootfs(run: Run, tmp_path: Path) -> None:
    assert run("id", "-u").stdout == "0\n"
    result = run("--user", "nobody", "sh", "-c", "id -u; id -g; echo $HOME; touch /x")
    assert result.stdout == "65534\n65534\n/\n"
    assert "Permission denied" in result.stderr
    assert run("-u", "12:34", "sh", "-c", "id -u; id -G").stdout == "12\n34\n"


def test_unknown_user(run: Run) -> None:
    result = run("--user", "absent", "true")
    assert result.returncode == 2
    assert "absent" in result.stderr
    assert "Traceback" not in result.stderr


def test_environment(run: Run) -> None:
    environment = os.environ | {"PASSED": "by name"}
    environment.pop("ABSENT", None)
    options = ("-e", "A=b=c", "--env", "PASSED", "-e", "ABSENT")
    result = run(*options, "env", env=environment)
    lines = set(result.stdout.splitlines())
    assert {"A=b=c", "PASSED=by name", "HOME=/root"} <= lines
    assert not any(line.startswith(("ABSENT", "PYTHON", "SHELL")) for line in lines)


def test_working_directory_is_made(run: Run) -> None:
    assert run("-w", "/made/for/it", "pwd").stdout == "/made/for/it\n"
    assert run("-w", "relative", "pwd").returncode == 2


def test_hostname(run: Run) -> None:
    assert run("--hostname", "box", "hostname").stdout == "box\n"
    assert run("--hostname", "-x", "hostname").returncode == 2


def test_written_files_are_dropped(run: Run) -> None:
    script = "echo changed > /etc/passwd; rm /bin/ls; touch /new; cat /etc/passwd"
    assert run("sh", "-c", script).stdout == "changed\n"
    assert run("sh", "-c", "ls /new /bin/ls; head -n1 /etc/passwd").stdout == (
        "/bin/ls\nroot:x:0:0:root:/root:/bin/sh\n"
    )


def test_given_rootfs_is_not_changed(run: Run, exit_42: Path, tmp_path: Path) -> None:
    strange = tmp_path / "a:b,c\\d e"  # characters with a meaning in overlayfs' options
    strange.mkdir(mode=0o711)
    (strange / "exit42").hardlink_to(exit_42 / "exit42")
    result = run("--rootfs", strange, "/exit42")
    assert (result.returncode, result.stderr.count("\n")) == (42, 1)
    assert [path.name for path in strange.iterdir()] == ["exit42"]


def test_root_has_the_rootfs_owner_and_mode(run: Run) -> None:
    assert run("stat", "-c", "%a %u %g", "/", "/tmp").stdout == "755 0 0\n1777 0 0\n"


def test_read_only(run: Run) -> None:
    result = run("--read-only", "sh", "-c", "touch /x || touch /dev/shm/x")
    assert result.returncode == 0
    assert "Read-only file system" in result.stderr


def test_volumes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("from the host\n")
    script = "cat /a/in && echo from the container > /a/out && ! touch /b/x && pwd"
    result = run(
        "-v", f"{tmp_path}:/a", "-v", ".:/b:ro", "-w", "/b", "sh", "-c", script, cwd=tmp_path
    )
    assert result.stdout == "from the host\n/b\n"
    assert (tmp_path / "out").read_text() == "from the container\n"
    assert not (tmp_path / "x").exists()


def test_read_only_volume_with_a_mount_below(
    argv: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "below").mkdir()
    script = 'mount -t tmpfs none "$0" && exec "$@"'
    command = argv("-v", f"{tmp_path}:/v:ro", "touch", "/v/below/x")
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, tmp_path / "below", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Read-only file system" in result.stderr


def test_network(run: Run) -> None:
    links = "ls /sys/class/net"
    assert (
        run("sh", "-c", links + "; ping -c1 127.0.0.1 >/dev/null && echo up").stdout == "lo\nup\n"
    )
    host = run("--network", "host", "sh", "-c", links).stdout.split()
    assert set(host) == {path.name for path in Path("/sys/class/net").iterdir()}


def test_host_names_with_the_hosts_network(run: Run) -> None:
    result = run("--network", "host", "cat", "/etc/resolv.conf")
    assert result.stdout == Path("/etc/resolv.conf").read_text()


def test_capabilities(run: Run) -> Any:
    def effective(*options: Any) -> Any:
        return run(*options, "grep", "CapEff", "/proc/self/status").stdout.split()[1]

    assert effective() == "00000000a80425fb", "not Docker's default set"
    assert effective("--cap-drop", "all") == "0000000000000000"
    assert effective("--cap-drop", "all", "--cap-add", "sys_chroot") == "0000000000040000"
    assert effective("--user", "nobody") == "0000000000000000"


def test_no_new_privs(run: Run) -> None:
    assert run("grep", "NoNewPrivs", "/proc/self/status").stdout == "NoNewPrivs:\t0\n"
    result = run("--no-new-privs", "grep", "NoNewPrivs", "/proc/self/status")
    assert result.stdout == "NoNewPrivs:\t1\n"


def test_masked_and_read_only_paths(run: Run) -> None:
    assert run("head", "-c1", "/proc/kcore").stdout == ""
    assert run("sh", "-c", "echo > /proc/sysrq-trigger").returncode != 0
    assert run("touch", "/sys/kernel/x").returncode != 0


def test_devices_are_guarded_whatever_the_capabilities(run: Run) -> None:
    # /dev/kmsg: the host's root can read it, and with CAP_MKNOD could make a node for it.
    script = "mknod /tmp/kmsg c 1 11 && head -c1 /tmp/kmsg"
    result = run("sh", "-c", script)
    assert "Operation not permitted" in result.stderr
    assert run("sh", "-c", "head -c1 /dev/zero | wc -c").stdout.strip() == "1"


def test_not_utf_8(run: Run) -> None:
    result = run("echo", os.fsdecode(b"\xff"))
    assert result.returncode == 2
    assert "UTF-8" in result.stderr
