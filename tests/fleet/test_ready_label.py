"""When the label is set, left, removed; and what an API server may answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seclatch.agent.node_label import NodeApi, find_node_api
from seclatch.agent.ready_label import REPEAT_SECONDS, ReadyLabel
from seclatch.errors import SeclatchError
from tests.agent.api_server import ApiServer


class Labels:
    """Writes to a list, or fails."""

    def __init__(self) -> None:
        self.written: list[str | None] = []
        self.fails = False

    def set_label(self, value: str | None) -> None:
        if self.fails:
            raise SeclatchError("the API server is down")
        self.written.append(value)


def test_set_left_and_removed() -> None:
    api, now = Labels(), 0.0
    label = ReadyLabel(api, lambda: now)
    assert label.update(latched=True, complete=False) == ""  # not before all profiles are there
    assert label.update(latched=True, complete=True) == "set"
    assert label.update(latched=True, complete=True) == ""
    assert label.update(latched=True, complete=False) == ""  # it stays for a missing profile
    assert label.update(latched=False, complete=True) == "removed"
    now += 2 * REPEAT_SECONDS
    assert label.update(latched=False, complete=True) == ""
    assert label.update(latched=True, complete=True) == "set"
    now += REPEAT_SECONDS
    assert label.update(latched=True, complete=True) == "set"  # someone may have removed it
    assert api.written == ["ready", None, "ready", "ready"]


def test_what_could_not_be_written_is_tried_again() -> None:
    api = Labels()
    label = ReadyLabel(api)
    api.fails = True
    with pytest.raises(SeclatchError):
        label.update(latched=False, complete=True)
    api.fails = False
    assert label.update(latched=False, complete=True) == "removed"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    found = ApiServer().start(tmp_path / "account")
    yield found
    found.stop()


def test_refusals(server: ApiServer, tmp_path: Path) -> None:
    api = NodeApi("n1", f"https://127.0.0.1:{server.port}", tmp_path / "account")
    api.set_label("ready")
    assert server.labels["seclatch.io/latch"] == "ready"
    server.status = 403
    with pytest.raises(SeclatchError, match="HTTP 403: nodes") as refused:
        api.set_label(None)
    assert "kubernetes manifest" in refused.value.remedy
    server.status = 200
    server.broken = True
    with pytest.raises(SeclatchError, match="has another"):
        api.set_label("ready")


def test_a_server_of_another_authority_gets_no_token(server: ApiServer, tmp_path: Path) -> None:
    other = ApiServer().start(tmp_path / "b" / "account")
    other.stop()
    api = NodeApi("n1", f"https://127.0.0.1:{server.port}", tmp_path / "b" / "account")
    with pytest.raises(SeclatchError, match="certificate verify failed"):
        api.set_label("ready")
    assert server.requests == []


@pytest.mark.parametrize("content", [None, "", "a b", "a\nb: c", "x" * 20000])
def test_tokens_that_are_none(server: ApiServer, tmp_path: Path, content: str | None) -> None:
    token = tmp_path / "account" / "token"
    token.unlink()
    if content is not None:
        token.write_text(content)
    with pytest.raises(SeclatchError, match="token"):
        NodeApi("n1", f"https://127.0.0.1:{server.port}", tmp_path / "account").set_label(None)


def test_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SeclatchError, match="KUBERNETES_SERVICE_HOST is not set"):
        find_node_api("n1")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT_HTTPS", "6443")
    assert find_node_api("n1").server == "https://[fd00::1]:6443"
    for name in ("", "a/b", "N1", "../pods", "a?b"):
        with pytest.raises(SeclatchError, match="no node's name"):
            find_node_api(name)
