"""Messages about containers that were not created: whose they are, and what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.diagnose import explain_creation as module
from seclatch.diagnose.evidence.cri_failures import CreateFailure, find_failures, unquote
from seclatch.diagnose.evidence.node_log import read_node_log
from seclatch.diagnose.explain_creation import explain_creation
from seclatch.errors import SeclatchError
from seclatch.model.pod import parse_pod

SHOP = parse_pod("prod/shop")
PATH = "/var/lib/kubelet/seccomp/web.json"
MISSING = f'cannot load seccomp profile "{PATH}": open {PATH}: no such file or directory'
OLD = "&ContainerMetadata{Name:web,Attempt:0,}"
NEW = 'name:"web" attempt:1'


def create(error: str, sandbox: str = "5a", who: str = OLD, level: str = "error") -> str:
    """Return a line as containerd logs it."""
    text = json.dumps(f'CreateContainer within sandbox "{sandbox}" for {who} failed')
    return f'time="2026-01-01T00:00:00.5Z" level={level} msg={text} error={json.dumps(error)}'


def kubelet(pod: str, what: str, name: str, reason: str, message: str) -> str:
    """Return a line as the kubelet logs it."""
    error = f'failed to "{what}" for "{name}" with {reason}: {json.dumps(message)}'
    head = 'E0101 00:00:01.000000 1 pod_workers.go:1] "Error syncing pod, skipping"'
    return f'{head} err={json.dumps(f"[{error}, {error}]")} pod="{pod}" podUID="1"'


def find(*lines: str) -> dict[str, CreateFailure]:
    return find_failures(lines, SHOP, {"5a"})


@pytest.mark.parametrize("who", [OLD, NEW, f"container {OLD}"])
def test_containerd_s_messages(who: str) -> None:
    found = find(create(MISSING, who=who), create("other", who=who.replace("web", "init")))
    assert [*found] == ["web", "init"]
    assert (found["web"].message, found["web"].source) == (MISSING, "containerd")
    assert found["web"].is_after("2026-01-01T00:00:00.499999999Z")
    assert not found["web"].is_after("2026-01-01T00:00:00.5Z")
    assert not found["web"].is_after("")


def test_another_sandbox_s_messages_are_left_out() -> None:
    claimed = f'x" level=error msg="CreateContainer within sandbox \\"5a\\" for {OLD} failed'
    assert (
        find(
            create(MISSING, sandbox="6b"),
            create(MISSING, level="info"),
            create(claimed, sandbox="6b"),
            kubelet("prod/other", "StartContainer", "web", "CreateContainerError", MISSING),
            kubelet("prod/shop", "StartContainer", "web", "CrashLoopBackOff", "back-off"),
        )
        == {}
    )


def test_the_kubelet_repeats_containerd_s() -> None:
    line = kubelet("prod/shop", "StartContainer", "web", "CreateContainerError", f"x: {MISSING}")
    assert find(create(MISSING), line)["web"].source == "containerd"
    assert find(line)["web"].message == f"CreateContainerError: x: {MISSING}"
    other = kubelet("prod/shop", "StartContainer", "web", "CreateContainerConfigError", "no secret")
    assert find(create(MISSING), other)["web"].source == "the kubelet"


@pytest.mark.parametrize(
    "who",
    [
        "&PodSandboxMetadata{Name:shop,Uid:1,Namespace:prod,Attempt:0,}",
        'name:"shop" uid:"1" namespace:"prod"',
    ],
)
def test_a_sandbox(who: str) -> None:
    text = json.dumps(f"RunPodSandbox for {who} failed, error")
    line = f'level=error msg={text} error="no runtime for \\"x\\" is configured"'
    assert find(line)[""].message == 'no runtime for "x" is configured'
    assert find_failures([line], parse_pod("shop/prod"), {"5a"}) == {}


@given(st.lists(st.text() | st.builds(create, st.text(), st.sampled_from(["5a", '"', "x"]))))
def test_arbitrary_lines(lines: list[str]) -> None:
    for failure in find(*lines).values():
        assert failure.container in ("", "web")


@given(st.text(st.characters(codec="utf-8")))
def test_quoted_text(text: str) -> None:
    quoted = json.dumps(text, ensure_ascii=False)
    assert unquote(quoted) == json.loads(quoted)
    assert isinstance(unquote(text), str)


def test_what_the_file_says_now(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "KUBELET_PROFILES", tmp_path)
    file = tmp_path / "seclatch" / "web.json"

    def explain(message: str) -> tuple[bool | None, str, str]:
        found = explain_creation("prod/shop/web", CreateFailure("web", message, "containerd"))
        texts = " ".join(remedy.text for remedy in found.remedies)
        return found.seccomp, found.cause, f"{found.summary} {texts}"

    missing = f'cannot load seccomp profile "{file}": open {file}: no such file'
    seccomp, cause, text = explain(missing)
    assert (seccomp, cause) == (False, "missing-file")
    assert "`seclatch node` puts it there" in text
    file.parent.mkdir()
    file.write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    assert "which is a profile now" in explain(missing)[2]
    file.write_text('{"defaultAction": 1}')
    assert explain(f'load local profile "{file}": x')[:2] == (True, "profile-refused")
    file.rename(tmp_path / "web.json")
    assert "localhostProfile: web.json" in explain(missing)[2]
    assert explain("image not found")[:2] == (False, "engine-failed")
    assert explain("seccomp is not supported")[:2] == (True, "profile-refused")


def test_a_log_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SeclatchError, match="No such file"):
        [*read_node_log(tmp_path / "x")]
    log = tmp_path / "log"
    log.write_bytes(b"a\xff\nb")
    assert [*read_node_log(log)] == ["a\\xff", "b"]
