"""The environment's proxies, each for the hosts that it is for."""

from __future__ import annotations

import base64

import pytest
from urllib3 import ProxyManager

from seclatch.errors import SeclatchError
from seclatch.registry.reference import parse_reference
from seclatch.registry.registry_http import RegistryHttp


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> RegistryHttp:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return RegistryHttp(parse_reference("registry.example/web"))


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "proxy.example:3128"])
def test_a_proxy_for_some_hosts(
    http: RegistryHttp, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """A registry may be reached directly, and the storage that it redirects to may not."""
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.setenv("no_proxy", "registry.example")
    direct, storage = http._open_pool(http.base), http._open_pool("https://storage.example/x")
    assert direct.proxy is None
    assert storage.proxy and (storage.proxy.host, storage.proxy.port) == ("proxy.example", 3128)
    assert http._open_pool("https://127.0.0.1/x") is direct


def test_a_proxy_with_a_password(http: RegistryHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://ann:s%40crt@proxy.example:3128")
    pool = http._open_pool(http.base)
    assert isinstance(pool, ProxyManager)
    sent = pool.proxy_headers["proxy-authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"ann:s@crt"


@pytest.mark.parametrize("proxy", ["socks5://ann:secret@proxy.example:1", "://secret@x"])
def test_a_proxy_of_another_kind(
    http: RegistryHttp, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(SeclatchError, match="proxy") as caught:
        http.request("GET", "manifests/1")
    assert "secret" not in str(caught.value) and caught.value.status == 2
