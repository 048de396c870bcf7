"""A supervisor that is killed has a successor, whoever of the two processes it was that ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from seclatch.tighten.automatic import supervision_guard
from seclatch.tighten.automatic.supervision_guard import MAX_RESTARTS, Phase, SupervisionGuard
from tests.latch.oci import wait_until


class Supervised:
    """A supervisor in a process of its own, which works until it is told to end.

    `seen` has a line for each that began: its pid, that of its guard, and the phase that it found.
    `rest`: seconds between two looks.
    """

    def __init__(self, folder: Path, rest: float = 0.005) -> None:
        self.rest = rest
        self.seen, self.go = folder / "seen", folder / "go"
        self.began = folder / "began"
        self.gave_up, self.done = folder / "gave_up", folder / "done"
        self.first = os.fork()
        if self.first == 0:
            os.setsid()
            silent = os.open(os.devnull, os.O_RDWR)
            for fd in range(3):
                os.dup2(silent, fd)
            os.closerange(3, 100)  # as the latch's front leaves them
            os.dup2(0, 3)
            with suppress(BaseException):
                guard = SupervisionGuard(self._work, self.gave_up.touch, lambda _: None, 3)
                guard.begin()
                os.close(3)
                self._work(guard)
            os._exit(0)

    def _work(self, guard: SupervisionGuard) -> int:
        known = 0
        while not self.go.exists():
            guard.renew()
            if known != guard._guard:
                known, found = guard._guard, guard.phase
                guard.phase = Phase.READY  # first: the line below lets the test end this process
                with self.began.open("a") as file:
                    file.write(f"{guard.began_waiting}\n")
                with self.seen.open("a") as file:
                    file.write(f"{os.getpid()} {known} {found.name}\n")
            guard.rest(self.rest)
        self.done.touch()
        guard.phase = Phase.DONE
        return 0

    def wait(self, count: int) -> list[tuple[int, int, str]]:
        """Wait for so many lines."""

        def look() -> list[tuple[int, int, str]]:
            lines = self.seen.read_text().splitlines() if self.seen.exists() else []
            words = [line.split() for line in lines]
            found = [(int(each[0]), int(each[1]), each[2]) for each in words]
            return found if len(found) >= count else []

        found: list[tuple[int, int, str]] = wait_until(look, f"{count} beginnings")
        return found

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)

    def end(self) -> None:
        self.go.touch()
        with suppress(ChildProcessError):
            os.waitpid(self.first, 0)


@pytest.fixture
def supervised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervised]:
    # less takes CAP_SYS_RESOURCE, which a test machine may not have
    monkeypatch.setattr(supervision_guard, "_PROTECTED", "500")
    made = Supervised(tmp_path)
    yield made
    made.end()


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    return False


def test_it_ends_with_its_guard(supervised: Supervised) -> None:
    [(_, guard, phase)] = supervised.wait(1)
    assert phase == "WAITING"
    supervised.end()
    assert supervised.done.exists()
    wait_until(lambda: not is_alive(guard), "the guard's end")
    assert len(supervised.wait(1)) == 1


def test_a_killed_supervisor_has_a_successor_that_goes_on(supervised: Supervised) -> None:
    supervised.kill(supervised.wait(1)[0][0])
    first, second = supervised.wait(2)
    assert first[0] != second[0]
    assert second[1:] == (first[1], "READY")
    wait_until(lambda: len(supervised.began.read_text().splitlines()) == 2, "both times")
    assert len(set(supervised.began.read_text().splitlines())) == 1  # no limit begins anew
    score = Path(f"/proc/{second[0]}/oom_score_adj").read_text()
    assert score == Path("/proc/self/oom_score_adj").read_text()  # and not its guard's
    assert Path(f"/proc/{second[1]}/oom_score_adj").read_text() == "500\n"
    supervised.go.touch()
    wait_until(supervised.done.exists, "the end")
    wait_until(lambda: not is_alive(second[0]) and not is_alive(second[1]), "both ends")


def test_a_killed_guard_has_a_successor(supervised: Supervised) -> None:
    """And that one guards: the supervisor is killed next, and its successor's guard after that."""
    supervised.kill(supervised.wait(1)[0][1])
    again = supervised.wait(2)[1]
    assert again[0] == supervised.first
    supervised.kill(again[0])
    third = supervised.wait(3)[2]
    assert third[0] not in (again[0], again[1]) and third[1] == again[1]
    supervised.kill(third[1])
    fourth = supervised.wait(4)[3]
    assert fourth[0] == third[0] and is_alive(fourth[1])
    supervised.go.touch()
    wait_until(lambda: not is_alive(fourth[0]) and not is_alive(fourth[1]), "both ends")
    assert supervised.done.exists()


def test_a_rest_ends_with_the_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the time in which both must be killed is no longer than a fork takes."""
    monkeypatch.setattr(supervision_guard, "_PROTECTED", "500")
    supervised = Supervised(tmp_path, rest=3600)
    first = supervised.wait(1)[0]
    supervised.kill(first[1])
    again = supervised.wait(2)[1]
    assert again[0] == first[0] and again[1] != first[1]
    supervised.go.touch()
    supervised.kill(again[1])
    wait_until(supervised.done.exists, "the end")
    supervised.end()


def test_killed_too_often_it_gives_up(supervised: Supervised) -> None:
    for number in range(MAX_RESTARTS + 1):
        assert not supervised.gave_up.exists()
        supervised.kill(supervised.wait(number + 1)[number][0])
    wait_until(supervised.gave_up.exists, "that it gives up")
    assert not supervised.done.exists()


def test_the_roots_of_the_hierarchies_that_units_are_in(tmp_path: Path) -> None:
    """A bind mount of a group within is none of them."""
    mounts = tmp_path / "mountinfo"
    systemd = "rw,xattr,release_agent=/x,name=systemd"
    mounts.write_text(
        "30 24 0:26 /system.slice/a /srv/a rw - cgroup2 cgroup2 rw\n"
        "31 24 0:26 / /sys/fs/cgroup\\040two rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
        "32 24 0:26 / /srv/again rw - cgroup2 cgroup2 rw\n"
        f"33 24 0:27 /user.slice /srv/b rw - cgroup cgroup {systemd}\n"
        f"34 24 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup {systemd}\n"
        "35 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "36 24 0:29 / /srv/c rw - tmpfs tmpfs rw,name=systemd\n"
    )
    found = supervision_guard._list_unit_hierarchies(str(mounts))
    assert found == [Path("/sys/fs/cgroup two"), Path("/sys/fs/cgroup/systemd")]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="control groups are root's")
def test_the_end_of_a_control_group_leaves_the_guard(tmp_path: Path) -> None:
    """As of a service that is stopped: all that was started in it gets SIGKILL."""
    mount = supervision_guard._list_unit_hierarchies()[0]
    group = mount / f"seclatch-guard-test-{os.getpid()}"
    group.mkdir()
    own = Path(f"/proc/{os.getpid()}/cgroup").read_text()
    try:
        (group / "cgroup.procs").write_text(str(os.getpid()))
        try:
            supervised = Supervised(tmp_path)
        finally:
            before = _find_own_group(own, mount)
            (mount / before / "cgroup.procs").write_text(str(os.getpid()))
        first, guard, _ = supervised.wait(1)[0]
        procs = group / "cgroup.procs"
        wait_until(lambda: str(guard) not in procs.read_text().split(), "the guard to leave")
        assert procs.read_text().split() == [str(first)]
        supervised.kill(first)
        assert supervised.wait(2)[1][1] == guard
        supervised.end()
        wait_until(supervised.done.exists, "the end")
    finally:
        (tmp_path / "go").touch()
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the group to be empty")
        group.rmdir()


def _find_own_group(text: str, mount: Path) -> str:
    unified = (mount / "cgroup.controllers").exists()
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == ("" if unified else "name=systemd"):
            return path.lstrip("/")
    return ""
