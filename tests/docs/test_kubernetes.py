"""The manifests of docs/ are what Kubernetes' schemas allow, without unknown fields."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
VERSIONS = ("1.30", "1.34")
MANIFESTS = [
    (page.stem, manifest)
    for page in sorted(DOCS.rglob("*.md"))
    for block in BLOCK.findall(page.read_text())
    for manifest in yaml.safe_load_all(block)
    if isinstance(manifest, dict) and "apiVersion" in manifest
    # A custom resource has no schema in Kubernetes.
    if not manifest["apiVersion"].startswith("security-profiles-operator")
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("page", "manifest"), MANIFESTS)
def test_a_manifest_is_valid(page: str, manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_page_has_manifests_and_a_mistake_is_found() -> None:
    own = [manifest for page, manifest in MANIFESTS if page == "kubernetes"]
    assert [each["kind"] for each in own] == ["RuntimeClass", "Pod", "Namespace", "Pod"]
    wrong = {**own[1], "spec": {**own[1]["spec"], "runtimeClass": "seclatch"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)
