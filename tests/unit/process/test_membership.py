"""The container of a process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seclatch.model.stage import Stage
from seclatch.process.containers import docker_containers
from seclatch.process.containers.live_stages import find_stage
from seclatch.process.containers.membership import FoundContainer, find_containers, find_members
from tests.unit.process.scene import by_pid, entry

ID = "0123456789abcdef" * 4
SHIM = ("containerd-shim-runc-v2", "-namespace", "moby", "-id", ID, "-address", "/run/c.sock")
MONITOR = ("conmon", "-c", ID, "-u", ID, "-n", "web", "-b", f"/c/{ID}/userdata", "--exit-command")


@pytest.mark.parametrize(
    ("path", "engine"),
    [
        (f"/docker/{ID}", ""),
        (f"/system.slice/docker-{ID}.scope", "docker"),
        (f"/machine.slice/libpod-{ID}.scope/container", "podman"),
        (f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", "containerd"),
        (f"/kubepods/besteffort/pod1/crio-{ID}", "cri-o"),
    ],
)
def test_container_of_a_control_group(path: str, engine: str) -> None:
    member = find_members(by_pid(entry(5, 1, cgroups=(path,))), {})[5]
    assert (member.id, member.engine) == (ID, engine)


@pytest.mark.parametrize(
    "path",
    ["/", "/user.slice", f"/libpod-conmon-{ID}.scope", f"/x/{ID}0", f"/docker/{ID[:-1]}"],
)
def test_control_groups_without_a_container(path: str) -> None:
    assert find_members(by_pid(entry(5, 1, cgroups=(path,))), {}) == {}


def test_container_of_a_shim_s_children() -> None:
    entries = by_pid(
        entry(2, 1, "containerd-shim-runc-v2", argv=SHIM),
        entry(3, 2, "runc", comm="runc"),
        entry(4, 2, "sh"),
        entry(5, 4, "sleep"),
    )
    kept = find_containers(entries)
    assert (kept[ID].engine, kept[ID].namespace, kept[ID].address) == (
        "docker",
        "moby",
        "/run/c.sock",
    )
    assert set(find_members(entries, kept)) == {4, 5}


def test_monitor_names_a_container_and_is_outside_of_it() -> None:
    inside = (f"/x/{ID}",)
    entries = by_pid(
        entry(2, 1, "conmon", argv=MONITOR, cgroups=inside), entry(3, 2, "sh", cgroups=inside)
    )
    kept = find_containers(entries)
    assert (kept[ID].engine, kept[ID].name) == ("podman", "web")
    assert kept[ID].bundle == f"/proc/2/root/c/{ID}/userdata"
    assert set(find_members(entries, kept)) == {3}


def test_name_given_to_ctr_is_found_in_the_path() -> None:
    argv = ("containerd-shim-runc-v2", "-namespace", "default", "-id", "web-1")
    entries = by_pid(
        entry(2, 1, "containerd-shim-runc-v2", argv=argv),
        entry(9, 1, "sh", cgroups=("/default/web-1",)),
    )
    assert find_members(entries, find_containers(entries))[9].engine == "containerd"


def test_dockerd_in_a_container_is_the_program() -> None:
    assert find_stage(entry(5, 1, "dockerd"), in_container=True) is Stage.PROGRAM
    assert find_stage(entry(5, 1, "dockerd"), in_container=False) is Stage.ENGINE


@pytest.mark.parametrize(
    ("executable", "more", "inside", "stage"),
    [
        ("containerd-shim-runc-v2", {}, False, Stage.SHIM),
        ("conmon", {}, False, Stage.ENGINE),
        ("docker", {}, False, Stage.CLIENT),
        ("crun", {}, False, Stage.RUNTIME),
        ("runc (deleted)", {}, False, Stage.RUNTIME),
        ("memfd:runc_cloned:", {"comm": "runc:[2:INIT]"}, True, Stage.INIT),
        ("runc", {"argv": ("runc", "init"), "filters": 1}, True, Stage.FILTERED_INIT),
        ("sh", {}, False, None),
    ],
)
def test_stages(executable: str, more: dict[str, object], inside: bool, stage: Stage) -> None:
    assert find_stage(entry(5, 1, executable, **more), in_container=inside) is stage


def test_cycle_of_parents_terminates() -> None:
    assert find_members(by_pid(entry(5, 6), entry(6, 5)), {}) == {}


def test_trusted_monitors() -> None:
    """A user's or a container's own `conmon` does not override the real one."""
    inside = (f"/docker/{'e' * 64}",)
    real = entry(2, 1, "conmon", argv=MONITOR)
    contained = entry(9, 1, "conmon", argv=(*MONITOR[:6], "evil"), cgroups=inside)
    status = replace(real.status, uid=12345)
    other_user = replace(real, pid=8, argv=(*MONITOR[:6], "evil"), status=status)
    for false in (contained, other_user):
        kept = find_containers(by_pid(real, false))
        assert (kept[ID].monitor, kept[ID].name, kept[ID].trusted) == (2, "web", True)
        alone = find_containers(by_pid(false))[ID]
        assert (alone.name, alone.trusted) == ("evil", False)


def test_the_monitor_of_an_exec_session_leads_to_the_container_s_bundle() -> None:
    """Podman's session has a folder of its own below it, without a config.json."""
    folder = f"/c/{ID}/userdata"
    words = (*MONITOR[:8], f"{folder}/{'5' * 64}", "-e", "--exec-process-spec", "/p", MONITOR[-1])
    session = entry(7, 1, "conmon", argv=words)
    for entries in (by_pid(session), by_pid(entry(2, 1, "conmon", argv=MONITOR), session)):
        assert find_containers(entries)[ID].bundle.endswith(f"/root{folder}")


@pytest.mark.parametrize("identity", ["system.slice", "web", "../x", "a" * 63])
def test_an_untrusted_monitor_claims_no_other_name(identity: str) -> None:
    """A process in /system.slice would be in a user's "container" else."""
    claim = entry(8, 1, "conmon", argv=("conmon", "-c", identity))
    claim = replace(claim, status=replace(claim.status, uid=12345))
    service = entry(9, 1, "sshd", cgroups=("/system.slice/ssh.service",))
    entries = by_pid(claim, service)
    assert identity not in find_containers(entries)
    assert 9 not in find_members(entries, find_containers(entries))


@pytest.mark.parametrize("name", ["conmon", "containerd-shim-runc-v2", "dockerd"])
def test_ending_monitor_has_no_command_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(docker_containers, "get_json", lambda *_: None)
    entries = by_pid(entry(2, 1, name))
    assert all(found.monitor != 2 for found in find_containers(entries).values())
    assert docker_containers.query_docker({ID: FoundContainer(ID, "docker")}, entries, []) == {}


def test_containers_of_a_pod_have_its_shim() -> None:
    """A pod has one shim, whose argv names the sandbox; others' bundles are beside its own."""
    web, argv = "e" * 64, ("containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", ID)
    entries = by_pid(
        entry(2, 1, "containerd-shim-runc-v2", argv=argv),
        entry(3, 2, "pause", cgroups=(f"/kubepods/pod1/{ID}",)),
        entry(4, 2, "nginx", cgroups=(f"/kubepods/pod1/{web}",)),
        entry(5, 3, "orphan", cgroups=(f"/kubepods/pod1/{web}",)),  # its parent has ended
    )
    members = find_members(entries, find_containers(entries))
    assert [members[pid].id for pid in (3, 4, 5)] == [ID, web, web]
    assert {(found.monitor, found.namespace, found.bundle) for found in members.values()} == {
        (2, "k8s.io", "/proc/2/cwd")
    }


@pytest.mark.parametrize("mounts", [(7, True), (8, False), (0, False)])
def test_what_a_monitor_starts_on_the_host_is_in_no_container(mounts: tuple[int, bool]) -> None:
    """Such are the recorder of an annotated container, and the latch's tracer."""
    number, outside = mounts
    entries = by_pid(
        entry(2, 1, "conmon", argv=MONITOR, mounts=7),
        entry(3, 2, "python3", mounts=number),
        entry(4, 3, "ctr", mounts=number),
    )
    assert set(find_members(entries, find_containers(entries))) == (set() if outside else {3, 4})


def test_an_untrusted_shim_gives_no_bundle() -> None:
    web, argv = "e" * 64, ("containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", ID)
    shim = entry(2, 1, "containerd-shim-runc-v2", argv=argv)
    shim = replace(shim, status=replace(shim.status, uid=12345))
    entries = by_pid(shim, entry(4, 2, "nginx", cgroups=(f"/kubepods/pod1/{web}",)))
    found = find_members(entries, find_containers(entries))[4]
    assert (found.id, found.monitor, found.bundle) == (web, 0, "")


SCOPE = f"/system.slice/docker-{ID}.scope"
SPOOFED = f"/user.slice/user-1000.slice/user@1000.service/app.slice/docker-{ID}.scope"


@pytest.mark.parametrize(
    ("group", "inside"),
    [(SCOPE, True), (f"{SCOPE}/init.scope", True), (SPOOFED, False), (f"/x{SCOPE}", False)],
)
def test_a_control_group_of_that_name_elsewhere_is_not_the_container(
    group: str, inside: bool
) -> None:
    """As any user makes one: systemd-run --user --scope --unit docker-ID."""
    entries = by_pid(
        entry(2, 1, "containerd-shim-runc-v2", argv=SHIM),
        entry(4, 2, "sh", cgroups=(SCOPE,)),
        entry(9, 1, "sh", cgroups=(group,)),
    )
    members = find_members(entries, find_containers(entries))
    assert 4 in members and (9 in members) is inside


@pytest.mark.parametrize("name", ["conmon", "containerd-shim-x"])
@pytest.mark.parametrize("claim", [(), ("-c", "f" * 64), ("-id", "f" * 64)])
def test_no_name_and_no_claim_leads_out_of_a_container(name: str, claim: tuple[str, ...]) -> None:
    entries = by_pid(
        entry(2, 1, "containerd-shim-runc-v2", argv=SHIM),
        entry(4, 2, "sh", cgroups=(SCOPE,)),
        entry(5, 4, name, argv=(name, *claim), cgroups=(SCOPE,)),
        entry(6, 5, "sh", cgroups=(SCOPE,)),
    )
    members = find_members(entries, find_containers(entries))
    assert {pid: found.id for pid, found in members.items()} == {4: ID, 5: ID, 6: ID}


@pytest.mark.parametrize(
    ("group", "trusted"),
    [(SCOPE, True), (SPOOFED, False), (SPOOFED.replace("1000", "0"), True)],
)
def test_a_container_that_a_user_s_control_group_alone_names_is_not_trusted(
    group: str, trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be selected by the beginning of its id, which is chosen freely."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    members = find_members(by_pid(entry(9, 1, "sh", cgroups=(group,))), {})
    assert (members[9].id, members[9].trusted) == (ID, trusted)


def test_an_untrusted_claim_does_not_take_a_pod_s_container() -> None:
    """No trusted source has its id but the parent of its first process, the shim of the pod."""
    web, argv = "e" * 64, ("containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", ID)
    claim = entry(8, 1, "conmon", argv=("conmon", "-c", web, "-n", "coredns", "-b", "/tmp/b"))
    claim = replace(claim, status=replace(claim.status, uid=12345))
    entries = by_pid(
        claim,
        entry(2, 1, "containerd-shim-runc-v2", argv=argv),
        entry(3, 2, "pause", cgroups=(f"/kubepods/pod1/{ID}",)),
        entry(4, 2, "nginx", cgroups=(f"/kubepods/pod1/{web}",)),
        entry(5, 3, "orphan", cgroups=(f"/kubepods/pod1/{web}",)),
        entry(6, 8, "sleep"),
    )
    members = find_members(entries, find_containers(entries))
    assert [(members[pid].trusted, members[pid].monitor, members[pid].name) for pid in (4, 5)] == [
        (True, 2, ""),
        (True, 2, ""),
    ]
    assert 6 not in members or not members[6].trusted
