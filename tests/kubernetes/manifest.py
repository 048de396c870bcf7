"""The output of `seclatch kubernetes manifest`, as an administrator makes it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.engines.installing import Administrator

IMAGE = f"registry.example/seclatch@sha256:{'0' * 64}"


def make_manifests(seclatch: Administrator, folder: Path, *words: str) -> list[dict[str, Any]]:
    """Return the manifests with a DaemonSet of IMAGE; the publisher's key is made in `folder`."""
    key = folder / "key.pub"
    made = ["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout"]
    private = subprocess.run(made, check=True, capture_output=True).stdout
    export = ["openssl", "ec", "-pubout", "-out", key]
    subprocess.run(export, input=private, check=True, capture_output=True)
    text = seclatch.must("kubernetes", "manifest", "--image", IMAGE, "--key", str(key), *words)
    return list(yaml.safe_load_all(text))
