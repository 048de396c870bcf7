"""An explanation of a pod's start: what is said of it, and remedies that a pod can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from seclatch.diagnose import explain_pod as module
from seclatch.diagnose.explain_pod import PodStart, explain_pod
from seclatch.errors import SeclatchError
from seclatch.model.explanation import Explanation, FixedProfile, Remedy

PROFILE = {"defaultAction": "SCMP_ACT_ERRNO"}


def start(**more: Any) -> PodStart:
    values: dict[str, Any] = {
        "title": "prod/shop/web",
        "runtime": "runc",
        "latched": False,
        "seccomp": PROFILE,
        "no_new_privileges": True,
        "user": (5, 6),
    }
    return PodStart(**(values | more))


def tried(path: str) -> Explanation:
    """Return what the trial of a profile says."""
    return Explanation(
        seccomp=True,
        cause="runtime-denied",
        summary="runc could not start the program",
        stage="filtered-init",
        evidence=[f"by {path}"],
        command=["seclatch", "run", "--profile", path],
        status=1,
        denials=[],
        needs=None,
        messages=[],
        remedies=[
            Remedy(kind="latch", text="x", command=["seclatch", "run", "--profile", path]),
            Remedy(kind="no-new-privs", text="x", command=["seclatch", "run"]),
            Remedy(kind="rules", text="allow close", file=path),
        ],
        incomplete=0,
        fix=FixedProfile(file=path, change="allows close", text="{}"),
    )


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Replace the trial, and list what is tried."""
    seen: list[tuple[Any, ...]] = []

    def try_container(container: Any, file: Path, runtime: str, *, latched: bool) -> Any:
        seen.append((container.no_new_privileges, container.user, runtime, latched))
        assert container.source == str(file)
        return tried(str(file)), None

    monkeypatch.setattr(module, "try_container", try_container)
    return seen


def test_a_trial_that_cannot_be_made_is_no_cause(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a read-only home the trial's own failure stood for the pod's."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(SeclatchError, match="cannot make the minimal rootfs"):
        explain_pod(start())


def test_remedies_are_a_pod_s(trials: list[tuple[Any, ...]]) -> None:
    found, _ = explain_pod(start(file=Path("/var/lib/kubelet/seccomp/a.json")))
    assert trials == [(True, (5, 6), "runc", False)]
    assert found.summary == "prod/shop/web: runc could not start the program"
    latch, privileges, rules = found.remedies
    assert "runtimeClassName" in latch.text and latch.command == []
    assert "allowPrivilegeEscalation" in privileges.text and privileges.command == []
    assert rules.file == "/var/lib/kubelet/seccomp/a.json"
    assert found.fix is not None


def test_a_profile_without_a_file_is_named_by_its_container(trials: list[tuple[Any, ...]]) -> None:
    found, _ = explain_pod(start(latched=True, pid=7))
    assert trials[0][3]
    assert found.evidence == [
        "by the profile of prod/shop/web",
        "tried as prod/shop/web is configured: runc with the latch, no_new_privs on",
        "it runs now, as process 7: `seclatch watch --pod prod/shop/web`",
    ]
    assert found.fix is None


def test_a_name_is_text_and_no_json(trials: list[tuple[Any, ...]]) -> None:
    found, _ = explain_pod(start(title='prod/shop/a", "b\\'))
    assert len(trials) == 1
    assert found.evidence[0] == 'by the profile of prod/shop/a", "b\\'


@pytest.mark.parametrize("seccomp", [None, [], "x"])
def test_without_a_profile_nothing_is_tried(trials: list[tuple[Any, ...]], seccomp: object) -> None:
    found, recording = explain_pod(start(seccomp=seccomp))
    assert (found.seccomp, found.cause, recording, trials) == (False, "none", None, [])


@pytest.mark.parametrize(
    ("pid", "words"),
    [(0, ["--next", "--name", "web"]), (12, ["--container", "12"])],
    ids=["ended", "running"],
)
def test_a_start_that_succeeds_says_what_was_not_tried(
    monkeypatch: pytest.MonkeyPatch, pid: int, words: list[str]
) -> None:
    """A pod in CrashLoopBackOff starts; it is its own program that fails."""

    def try_container(container: Any, file: Path, runtime: str, *, latched: bool) -> Any:
        fine = {"seccomp": False, "cause": "none", "status": 0, "remedies": []}
        return msgspec.structs.replace(tried(str(file)), **fine), None

    monkeypatch.setattr(module, "try_container", try_container)
    explanation, _ = explain_pod(start(pid=pid))
    assert "tried with /bin/true in place of its program" in explanation.summary
    [remedy] = explanation.remedies
    assert remedy.command == ["seclatch", "explain", *words]
