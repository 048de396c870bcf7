"""kustomize builds the manifests as they are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from seclatch.fleet.kubernetes_manifest import write_manifests
from tests.unit.fleet.test_kubernetes_manifest import WISH, by_name, documents


def test_kustomize_builds_them(tmp_path: Path) -> None:
    (tmp_path / "seclatch.yaml").write_text(write_manifests(WISH))
    (tmp_path / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        "resources: [seclatch.yaml]\n"
    )
    done = subprocess.run(
        ["kustomize", "build", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    assert by_name(built) == by_name(documents()) and len(built) == len(documents())
