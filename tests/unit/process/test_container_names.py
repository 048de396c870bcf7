"""Names from bundles and podman's storage, whose content is untrusted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.process.containers import docker_containers, podman_containers
from seclatch.process.containers.container_config import BundleConfig, read_bundle
from seclatch.process.containers.container_names import name_containers
from seclatch.process.containers.membership import FoundContainer

ID = "f" * 64
WORDS = ["annotations", "linux", "seccomp", "metadata", "names", "id", "image", ID]
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner),
    max_leaves=8,
)


def bundle(folder: Path, config: object, engine: str = "podman") -> FoundContainer:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return FoundContainer(ID, engine, bundle=str(folder))


def test_annotations_of_kubernetes_runtimes(tmp_path: Path) -> None:
    cri = {
        "io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.image-name": "registry/app:1",
    }
    found = read_bundle(bundle(tmp_path / ID, {"annotations": cri}, "containerd"))
    assert (found.name, found.image, found.engine) == ("app", "registry/app:1", "")
    crio = {"io.kubernetes.cri-o.Name": "k8s_app", "io.kubernetes.cri-o.ImageName": "app:1"}
    found = read_bundle(bundle(tmp_path / "other", {"annotations": crio}))
    assert (found.name, found.image, found.engine) == ("k8s_app", "", "cri-o")


CRI = {
    "io.kubernetes.cri.container-name": "app",
    "io.kubernetes.cri.sandbox-name": "shop",
    "io.kubernetes.cri.sandbox-namespace": "prod",
}


def pod_bundle(folder: Path, notes: dict[str, object], namespace: str = "k8s.io") -> FoundContainer:
    found = bundle(folder / ID, {"annotations": notes}, "containerd")
    return replace(found, namespace=namespace)


def test_a_pod_of_containerd(tmp_path: Path) -> None:
    found = pod_bundle(tmp_path, dict(CRI))
    container = name_containers([found], {}, [])[ID].container
    assert (container.namespace, container.pod, container.name) == ("prod", "shop", "app")
    assert container.title == "prod/shop/app"


def test_a_pod_of_cri_o(tmp_path: Path) -> None:
    """Its monitor has a name of its own for the container."""
    notes = {
        "io.kubernetes.container.name": "app",
        "io.kubernetes.pod.name": "shop",
        "io.kubernetes.pod.namespace": "prod",
        "io.kubernetes.cri-o.Name": "k8s_app_shop_prod_1_0",
    }
    found = replace(bundle(tmp_path, {"annotations": notes}, "cri-o"), name="k8s_app_shop_prod_1_0")
    assert name_containers([found], {}, [])[ID].container.title == "prod/shop/app"


CRI_O = {
    "io.kubernetes.cri-o.ContainerType": "container",
    "io.kubernetes.container.name": "app",
    "io.kubernetes.pod.name": "shop",
    "io.kubernetes.pod.namespace": "prod",
    "io.kubernetes.cri-o.ImageName": "registry/app:1",
}


def test_a_pod_s_own_annotations_do_not_rename_it(tmp_path: Path) -> None:
    """CRI-O copies all of them, before the kubelet's labels; containerd what it is told to."""
    others = dict.fromkeys((*CRI, "io.kubernetes.cri.image-name"), "forged")
    kinds = {
        "io.kubernetes.cri.container-type": "sandbox",
        "io.kubernetes.cri-o.ContainerType": "sandbox",
    }
    found = bundle(tmp_path, {"annotations": CRI_O | others | kinds}, "cri-o")
    container = name_containers([found], {}, [])[ID].container
    # the image is not what an annotation says: CRI-O's storage has it
    assert (container.title, container.image) == ("prod/shop/app", "")
    assert container.claimed
    sandbox = bundle(
        tmp_path, {"annotations": CRI_O | {"io.kubernetes.container.name": "POD"}}, "cri-o"
    )
    assert name_containers([sandbox], {}, [])[ID].container.title == "prod/shop"
    forged = dict.fromkeys(CRI_O, "forged")
    for name, title in (("app", "prod/shop/app"), ("POD", "prod/shop")):
        named = replace(
            bundle(tmp_path, {"annotations": forged}, "cri-o"), name=f"k8s_{name}_shop_prod_u1_0"
        )
        container = name_containers([named], {}, [])[ID].container
        assert (container.title, container.claimed) == (title, False)
    others = dict.fromkeys(CRI_O, "forged")
    found = pod_bundle(tmp_path, others | CRI | {"io.kubernetes.cri.image-name": "app:1"})
    container = name_containers([found], {}, [])[ID].container
    assert (container.title, container.image) == ("prod/shop/app", "app:1")


UID = "0a1b2c3d-0000-1111-2222-333344445555"
SANDBOX = "e" * 64
OWN = CRI | {
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.sandbox-id": SANDBOX,
    "io.kubernetes.cri.sandbox-uid": UID,
}


@pytest.mark.parametrize(
    "group", ["", "/kubepods/besteffort/podUID/x", "kubepods-podUID.slice:x:y"]
)
def test_a_pod_is_confirmed_by_its_sandbox(tmp_path: Path, group: str) -> None:
    def find(
        own: dict[str, str], sandbox: dict[str, str] | None, uid: str = UID
    ) -> tuple[str, bool]:
        path = group.replace("UID", uid.replace("-", "_" if ".slice" in group else "-"))
        other = tmp_path / SANDBOX / "config.json"
        other.parent.mkdir(exist_ok=True)
        other.write_text(json.dumps({"annotations": sandbox}))
        found = pod_bundle(tmp_path, dict(own))
        config = {"annotations": own, "linux": {"cgroupsPath": path}}
        (tmp_path / ID / "config.json").write_text(json.dumps(config))
        container = name_containers([found], {}, [])[ID].container
        return container.title, container.claimed

    kind = {"io.kubernetes.cri.container-type": "sandbox"}
    name = {"io.kubernetes.cri.sandbox-name": "other"}
    assert find(OWN, OWN | kind) == ("prod/shop/app", False)
    assert find(OWN | kind | {"io.kubernetes.cri.sandbox-id": ID}, None) == ("prod/shop", False)
    for own, sandbox in (
        (OWN, None),
        (OWN, OWN),  # no sandbox
        (OWN, OWN | kind | name),  # of another pod
        (OWN | {"io.kubernetes.cri.sandbox-uid": "x"}, OWN | kind),
        (OWN | {"io.kubernetes.cri.sandbox-id": f"../{SANDBOX}"}, OWN | kind),
    ):
        assert find(own, sandbox) == ("prod/shop/app", True)
    if group:
        assert find(OWN, OWN | kind, uid="ffffffff-0000-1111-2222-333344445555")[1]


def test_only_a_cri_implementation_makes_pods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`docker run --annotation` and `ctr run --annotation` take any key."""
    monkeypatch.setattr(docker_containers, "get_json", lambda *_: None)
    for engine, namespace in (("docker", "moby"), ("containerd", "default"), ("podman", "")):
        found = replace(pod_bundle(tmp_path, dict(CRI), namespace), engine=engine)
        container = name_containers([found], {}, [])[ID].container
        assert (container.pod, container.namespace) == ("", "")


@pytest.mark.parametrize("hostile", ["a/b", "", "\x1b[2J", "a\nb", "..", "x" * 254, 7, None, ["a"]])
def test_names_that_no_pod_has(tmp_path: Path, hostile: object) -> None:
    for key in CRI:
        found = pod_bundle(tmp_path, {**CRI, key: hostile})
        container = name_containers([found], {}, [])[ID].container
        assert (container.pod, container.namespace) == ("", "")


def test_nothing_is_read_of_an_untrusted_claim(tmp_path: Path) -> None:
    """Its bundle may be any directory of the host, a device or a FIFO in it."""
    folder = tmp_path / "overlay-containers"
    config = {"annotations": {"io.kubernetes.cri.container-name": "app"}, "linux": {"seccomp": {}}}
    entry = {"id": ID, "names": ["web"], "image": "abc"}
    found = replace(bundle(folder / ID / "userdata", config), trusted=False)
    (folder / "containers.json").write_text(json.dumps([entry]))
    known = name_containers([found], {}, [])[ID]
    assert (known.container.name, known.container.image, known.seccomp) == ("", "", None)
    assert not known.trusted
    assert name_containers([replace(found, trusted=True)], {}, [])[ID].container.name == "web"


def test_a_profile_and_where_it_came_from(tmp_path: Path) -> None:
    config = {
        "annotations": {"io.podman.annotations.seccomp": "/etc/strict.json"},
        "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}},
    }
    found = read_bundle(bundle(tmp_path, config))
    assert found.given == "/etc/strict.json"
    assert found.seccomp == {"defaultAction": "SCMP_ACT_ALLOW"}


def test_podman_s_storage(tmp_path: Path) -> None:
    folder = tmp_path / "overlay-containers"
    found = bundle(folder / ID / "userdata", {})
    metadata = json.dumps({"image-name": "docker.io/nginx", "name": "web"})
    entry = {"id": ID, "names": ["web"], "image": "abc", "metadata": metadata}
    (folder / "containers.json").write_text(json.dumps([entry]))
    notes: list[str] = []
    known = name_containers([found], {}, notes)[ID].container
    assert (known.name, known.image, known.engine, notes) == (
        "web",
        "docker.io/nginx",
        "podman",
        [],
    )


@given(value=VALUES)
def test_arbitrary_json(value: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "any" / "overlay-containers"
    found = bundle(folder / ID / "userdata", value)
    assert isinstance(read_bundle(found), BundleConfig)
    for content in (value, [value], [{"id": ID, "names": value, "metadata": json.dumps(value)}]):
        (folder / "containers.json").write_text(json.dumps(content))
        podman_containers.query_podman({ID: found}, {}, [])


def test_no_bundle_and_no_json(tmp_path: Path) -> None:
    assert read_bundle(FoundContainer(ID, "docker")) == BundleConfig()
    assert read_bundle(FoundContainer(ID, "podman", bundle=str(tmp_path))) == BundleConfig()
    (tmp_path / "config.json").write_bytes(b"\xff{")
    assert read_bundle(FoundContainer(ID, "podman", bundle=str(tmp_path))) == BundleConfig()
