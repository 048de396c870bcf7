"""The recorder of annotated containers, one process a node: with runc, and without an engine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.latch.node import RecordedNode, recorded_node
from tests.latch.oci import Bundle, wait_until

pytestmark = pytest.mark.root
SLEEP = ("/bin/sleep", "1000")
MANY = 20
MAX_MEGABYTES = 150


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("node") / "rootfs"
    for name in ("bin", "proc", "dev", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy("/usr/bin/busybox", root / "bin/busybox")
    for name in ("sleep", "true", "sh", "mkdir", "cat"):
        (root / "bin" / name).symlink_to("busybox")
    return root


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RecordedNode]:
    with recorded_node(tmp_path / "node") as node:
        yield node


def programs(recording: Recording, *, found: bool | None = None) -> list[str]:
    return [
        image.argv[0]
        for process in recording.processes
        for image in process.images
        if image.stage == "program" and found in (None, process.found_running)
    ]


def count(recording: Recording, name: str) -> int:
    rows = [row for row in recording.calls if (row.stage, row.name) == ("program", name)]
    return sum(row.count for row in rows)


def test_containers_at_the_same_time_have_their_own_counts(
    node: RecordedNode, rootfs: Path
) -> None:
    """Each makes another number of directories; sessions go to the right one."""
    bundles = []
    for number in range(1, 5):
        script = f"i=0; while [ $i -lt {number} ]; do mkdir /tmp; i=$((i+1)); done; exec sleep 1000"
        bundles.append(node.bundle(f"c{number}", rootfs, "/bin/sh", "-c", script))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(node.begin, bundles))
    node.execute(bundles[2], "/bin/cat", "/bin/true")
    for bundle in bundles:
        node.end(bundle)
    for number, bundle in enumerate(bundles, 1):
        recording = node.read(name=f"c{number}-")
        assert count(recording, "mkdir") == number
        assert ("/bin/cat" in programs(recording)) == (number == 3)
        assert [each.joined for each in recording.sessions] == [False, True][: 1 + (number == 3)]
        assert recording.containers[0].name == bundle.id
        assert {each.stage for each in recording.calls} >= {"runtime", "init", "program"}
        assert not recording.lost.events and not recording.lost.calls and not recording.gaps


def restart(node: RecordedNode, number: signal.Signals) -> None:
    status = node.kill(number)
    assert status == (0 if number == signal.SIGTERM else -number), node.output()
    node.start()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_restart_leaves_a_gap_in_the_recording(
    node: RecordedNode, rootfs: Path, number: signal.Signals
) -> None:
    bundle, other = node.bundle("web", rootfs, *SLEEP), node.bundle("gone", rootfs, *SLEEP)
    node.begin(bundle)
    node.begin(other)
    node.execute(bundle, "/bin/mkdir", "/tmp/x")
    wait_until(node.is_entered, "the state")
    node.ask("flush", "web")
    node.ask("flush", "gone")
    node.kill(number)
    assert not node.read(complete=False, name="web").gaps
    node.end(other)  # while no recorder runs
    node.execute(bundle, "/bin/true")  # unrecorded
    node.start()
    assert node.ask("status")["recordings"] == 1
    assert "gone-" in node.log() and "ended while no recorder ran" in node.log()
    node.execute(bundle, "/bin/cat", "/bin/true")
    node.ask("flush", "web")
    restart(node, number)
    node.execute(bundle, "/bin/cat", "/bin/true")
    node.end(bundle)
    recording = node.read(name="web")
    assert len(node.files()) == 2
    front, runtime = recording.processes[0].images
    assert front.exe == front.argv[0] == str(node.front)
    assert Path(runtime.argv[0]).name == "runc" and runtime.argv[1] == "run"
    assert programs(recording).count("/bin/cat") == 2
    assert programs(recording).count("/bin/mkdir") == 1
    assert "/bin/true" not in programs(recording)
    first, second = recording.gaps
    assert 0 < first.began <= first.ended <= second.began <= second.ended <= recording.duration
    assert [each.joined for each in recording.sessions] == [False, True, True, True]
    assert len(recording.containers) == 1
    assert [each.id for each in recording.processes] == list(range(len(recording.processes)))
    assert count(recording, "mkdir") == 1
    wait_until(lambda: not list(node.recordings.glob(".running-*")), "its state to be removed")


def test_what_is_killed_while_it_writes_leaves_whole_files(
    node: RecordedNode, rootfs: Path
) -> None:
    """As an upgrade or a cut of the power does: each file is written beside, then renamed."""
    bundle = node.bundle("web", rootfs, *SLEEP)
    node.begin(bundle)
    wait_until(node.is_entered, "the state")
    for number in range(6):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(str(node.socket))
            client.send(b"flush\0web")
            time.sleep(number * 0.004)
            node.kill()
        for path in node.files():
            recording_file.read_recording(path)
        node.start()
        assert node.ask("status")["recordings"] == 1
    left = [path.name for path in node.recordings.iterdir() if path.name.startswith(".web")]
    assert left == []
    node.end(bundle)
    recording = node.read()
    # What was never written is within the next recorder's gap.
    assert recording.gaps and recording.gaps[-1].ended <= recording.duration


def test_a_state_of_another_process_or_boot_is_not_continued(
    node: RecordedNode, rootfs: Path
) -> None:
    bundle = node.bundle("web", rootfs, *SLEEP)
    node.begin(bundle)
    wait_until(node.is_entered, "the state")
    node.ask("flush", "web")
    node.kill()
    [state] = node.recordings.glob(".running-*")
    text = state.read_text()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    for changed in (text.replace(boot, "0" * 36), "{", text.replace('"start":', '"start":1')):
        state.write_text(changed)
        node.start()
        assert node.ask("status")["recordings"] == 0
        assert not state.exists()
        node.kill()
        assert not recording_file.read_recording(node.files()[0]).complete


def connect(node: RecordedNode) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(str(node.socket))
    return client


def test_hostile_clients_hold_up_no_container(node: RecordedNode, rootfs: Path) -> None:
    """Silent ones, too long messages, files that are pipes, too many files, unknown verbs."""
    assert node.socket.stat().st_mode & 0o777 == 0o600
    assert node.process
    descriptors = Path(f"/proc/{node.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    silent = [connect(node) for _ in range(100)]
    reading, writing = os.pipe()
    ours = os.memfd_create("unsealed", os.MFD_ALLOW_SEALING)
    messages: list[tuple[bytes, list[int]]] = [
        (b"record\0x", []),
        (b"record\0x", [reading]),
        (b"record\0x", [ours]),
        (b"record\0x", [reading] * 3),
        (b"record\0" + b"x" * 60000, [ours]),
        (b"flush\0", []),
        (b"mark\0" + b"\xff" * 100, []),
        (b"\0\0\0", []),
        (b"no such verb", []),
        (b"x", [reading] * 200),
    ]
    talking = []
    for content, files in messages * 3:
        client = connect(node)
        socket.send_fds(client, [content], files)
        talking.append(client)
    bundle = node.bundle("web", rootfs, *SLEEP)
    node.begin(bundle)
    wait_until(node.is_entered, "the state")  # runc returns before its init execs the program
    node.end(bundle)
    assert node.read().sessions
    for client in (*silent, *talking):
        client.close()
    os.close(reading)
    os.close(writing)
    os.close(ours)

    wait_until(
        lambda: len(list(descriptors.iterdir())) <= before, "the clients' descriptors to be closed"
    )
    assert "Traceback" not in node.output()


def test_another_user_may_not_connect(node: RecordedNode) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(65534)
            connect(node)
        except PermissionError:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_one_container_that_forks_without_end_ends_only_its_own_recording(
    node: RecordedNode, rootfs: Path
) -> None:
    quiet = node.bundle("quiet", rootfs, *SLEEP)
    node.begin(quiet)
    script = "i=0; while [ $i -lt 1300 ]; do sleep 1000 & i=$((i+1)); done; wait"
    storm = node.bundle("storm", rootfs, "/bin/sh", "-c", script)
    node.begin(storm)
    wait_until(lambda: "processes at the same time" in node.log(), "the limit", 60)
    recording = node.read(name="storm")
    assert recording.lost.processes
    late = node.bundle("late", rootfs, *SLEEP)
    node.begin(late)
    node.execute(quiet, "/bin/mkdir", "/tmp/x")
    node.end(late)
    node.end(quiet)
    assert "/bin/mkdir" in programs(node.read(name="quiet"))
    assert programs(node.read(name="late")) == ["/bin/sleep"]
    node.end(storm)


def resident(pid: int) -> float:
    """Return a process's resident memory in MB, shared pages of it too."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def test_many_containers_take_little_memory(node: RecordedNode, rootfs: Path) -> None:
    """`python -m bench node` has the figures of 200."""
    assert node.process
    empty = resident(node.process.pid)
    bundles: list[Bundle] = [node.bundle(f"c{n}", rootfs, *SLEEP) for n in range(MANY)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(node.begin, bundles))
    assert node.ask("status")["recordings"] == MANY, node.log()
    wait_until(lambda: len(node.files()) == MANY, "all first files", 60)
    each_takes = (resident(node.process.pid) - empty) / MANY
    assert empty + 200 * each_takes < MAX_MEGABYTES
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(node.end, bundles))
    wait_until(lambda: node.ask("status")["recordings"] == 0, "the end of all", 120)
    recordings = [recording_file.read_recording(path) for path in node.files()]
    assert all(each.complete and not each.lost.events for each in recordings)
    assert all(programs(each) == ["/bin/sleep"] for each in recordings)
