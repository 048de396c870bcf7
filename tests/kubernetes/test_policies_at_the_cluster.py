"""The admission policies for what kubectl and the agent ask of a real API server.

Kubernetes 1.20 has no ValidatingAdmissionPolicy: the plugin of a newer one answers as its webhook.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.engine import Done
from tests.engines.host import wait_until
from tests.engines.installing import Administrator
from tests.kubernetes.admission_requests import list_objects
from tests.kubernetes.cluster import API, MASTER, NODE, Cluster
from tests.kubernetes.manifest import make_manifests
from tests.kubernetes.pods import SLEEP, container, pod
from tests.unit.fleet.admission_cases import AGENT

WEBHOOK, ADDRESS = "admission.seclatch.test", "127.0.0.1:9443"
RULES = (("CREATE", "pods"), ("UPDATE", "pods"), ("UPDATE", "nodes"))
LABEL = "seclatch.io/latch"


def make_certificate(folder: Path) -> Path:
    """Make a certificate for ADDRESS, with its key in the same file."""
    path = folder / "webhook.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    words += ["-subj", "/CN=webhook", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = subprocess.run([*words, "-keyout", "-"], check=True, capture_output=True)
    path.write_bytes(made.stdout)
    return path


def describe_webhook(certificate: Path) -> dict[str, Any]:
    """Describe the webhook for all requests that the policies match."""
    rules = [
        {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": [operation],
            "resources": [resource],
        }
        for operation, resource in RULES
    ]
    bundle = base64.b64encode(certificate.read_bytes()).decode()
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": WEBHOOK},
        "webhooks": [
            {
                "name": WEBHOOK,
                "clientConfig": {"url": f"https://{ADDRESS}/review", "caBundle": bundle},
                "rules": rules,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
            }
        ],
    }


@pytest.fixture(scope="module")
def policies(
    cluster: Cluster, seclatch: Administrator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Provide the namespaces of the cases, the agent's role, and the policies."""
    folder = tmp_path_factory.mktemp("policies")
    objects = folder / "objects.json"
    objects.write_text(json.dumps(list_objects()))
    certificate = make_certificate(folder)
    words = ["-objects", objects, "-listen", ADDRESS, "-certificate", certificate]
    log = cluster.logs / "admission.log"
    process = cluster.host.spawn(cluster.programs / "admission", *words, log=log)
    namespaces = [one for one in list_objects() if one["kind"] == "Namespace"]
    manifests = make_manifests(seclatch, folder)
    rights = [one for one in manifests if one["kind"].startswith("ClusterRole")]
    handler = [one for one in manifests if one["kind"] == "RuntimeClass"]
    if cluster.kubectl("get", "runtimeclass", "seclatch").returncode:
        cluster.apply(*handler)
    cluster.apply(*namespaces, *rights, describe_webhook(certificate))
    for one in namespaces:
        account = ["get", "sa", "default", "-n", one["metadata"]["name"]]
        wait_until(lambda words=account: not cluster.kubectl(*words).returncode, "an account")
    wait_until(lambda: create(cluster, "shop", None).returncode == 0, f"the webhook ({log})")
    yield
    cluster.must("delete", "validatingwebhookconfiguration", WEBHOOK)
    process.terminate()
    process.wait(10)
    cluster.must("delete", "namespace", *(one["metadata"]["name"] for one in namespaces))


def create(cluster: Cluster, namespace: str, profile: str | None, **fields: Any) -> Done:
    """Ask whether a pod may be created; it is not."""
    described = pod("asked", container("web", *SLEEP, profile=profile), **fields)
    words = ("create", "-n", namespace, "--dry-run=server", "--validate=false", "-f", "-")
    return cluster.kubectl(*words, input=json.dumps(described))


def patch(cluster: Cluster, labels: dict[str, str | None], node: str = NODE) -> Done:
    """Send the agent's request, as its account with a token of `node`."""
    extra = "Impersonate-Extra-authentication.kubernetes.io%2Fnode-name"
    headers = {
        "Authorization": f"Bearer {MASTER}",
        "Impersonate-User": AGENT["username"],
        extra: node,
        "Content-Type": "application/merge-patch+json",
        # for curl kube-apiserver 1.20 indents its answers, which ends it when built with Go 1.18 or
        # later (modern-go/reflect2 before 1.0.2)
        "User-Agent": "seclatch",
    }
    words = ["curl", "--silent", "--insecure", "--request", "PATCH"]
    for name, value in headers.items():
        words += ["--header", f"{name}: {value}"]
    body = json.dumps({"metadata": {"labels": labels}})
    return cluster.host.run(*words, "--data", body, f"{API}/api/v1/nodes/{NODE}")


def test_a_profile_of_another_namespace(cluster: Cluster, policies: None) -> None:
    own = create(cluster, "shop", "seclatch/shop.web-0123456789ab.json")
    assert own.returncode == 0, own.stderr
    refused = create(cluster, "shop", "seclatch/bank.web-0123456789ab.json")
    assert refused.returncode == 1
    assert "'seclatch-profiles' denied request: a profile NAMESPACE.NAME" in refused.stderr


def test_a_recording(cluster: Cluster, policies: None) -> None:
    asked = {"seclatch.record": "x"}
    assert create(cluster, "open", None, annotations=asked).returncode == 0
    refused = create(cluster, "closed", None, annotations=asked)
    assert "only pods of namespaces with seclatch.io/record=allowed" in refused.stderr


def test_the_latch_is_required(cluster: Cluster, policies: None) -> None:
    refused = create(cluster, "latched", None, handler=None)
    assert "need runtimeClassName: seclatch" in refused.stderr
    assert create(cluster, "latched", None).returncode == 0


def test_the_agent_s_own_label_alone(cluster: Cluster, policies: None) -> None:
    """Its role allows more; the policy does not.

    Rules that compare with the old node cannot be tried: kube-apiserver before 1.20.6 gives
    webhooks the new one's metadata in its place (CVE-2021-25735).
    """
    for value in (None, "ready"):
        done = json.loads(patch(cluster, {LABEL: value}).stdout)
        assert done["kind"] == "Node", done
    for labels, node, message in (
        ({LABEL: "other"}, NODE, f"may change the label {LABEL} alone"),
        ({LABEL: "ready"}, "node2", "may change that node alone"),
    ):
        refused = json.loads(patch(cluster, labels, node).stdout)
        assert refused["kind"] == "Status" and message in refused["message"], (labels, node)
