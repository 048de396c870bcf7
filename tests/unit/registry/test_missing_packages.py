"""Without the extra `registry` a command says what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from seclatch.errors import SeclatchError
from seclatch.registry.cosign_signature import load_public_key
from seclatch.registry.reference import parse_reference
from seclatch.registry.registry_client import RegistryClient
from seclatch.registry.registry_http import RegistryAccess


@pytest.mark.parametrize("package", ["urllib3", "cryptography"])
def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    key = tmp_path / "key.pub"
    key.write_text("-----BEGIN PUBLIC KEY-----\n")
    client = RegistryClient(parse_reference("127.0.0.1:1/web"), RegistryAccess(plain_http=True))
    with pytest.raises(SeclatchError, match=f"{package} is not installed") as caught:
        load_public_key(key) if package == "cryptography" else client.list_tags()
    assert "seclatch[registry]" in caught.value.remedy
