"""Credentials from the files of docker and podman."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from seclatch.errors import InputError, SeclatchError
from seclatch.registry.reference import parse_reference
from seclatch.registry.registry_credentials import Credentials, find_credentials

REFERENCE = parse_reference("registry.example:5000/team/web:1")


def encode(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def write(folder: Path, **document: object) -> Path:
    file = folder / "auth.json"
    file.write_text(json.dumps(document))
    return file


def test_the_most_specific_entry_counts(tmp_path: Path) -> None:
    auths = {
        "registry.example:5000": encode("all", "1"),
        "registry.example:5000/team": encode("team", "a:b"),
        "registry.example:5000/other": encode("other", "2"),
        "registry.example": encode("another", "3"),
    }
    assert find_credentials(REFERENCE, write(tmp_path, auths=auths)) == Credentials("team", "a:b")


def test_the_files_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    assert find_credentials(REFERENCE) is None
    for place in (
        ".docker/config.json",
        ".config/containers/auth.json",
        "run/containers/auth.json",
    ):
        file = tmp_path / place
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"auths": {"registry.example:5000": encode(place, "x")}}))
        found = find_credentials(REFERENCE)
        assert found and found.user == place


def test_docker_hub_has_a_name_of_its_own(tmp_path: Path) -> None:
    file = write(tmp_path, auths={"https://index.docker.io/v1/": encode("me", "x")})
    found = find_credentials(parse_reference("docker.io/me/web"), file)
    assert found == Credentials("me", "x")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{" * 9999, '{"auths": [1]}', '{"auths": {"registry.example:5000": {"auth": "%"}}}'],
)
def test_a_malformed_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "auth.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"auth\.json"):
        find_credentials(REFERENCE, file)


def test_an_identity_token_is_refused(tmp_path: Path) -> None:
    entry = {**encode("me", ""), "identitytoken": "x"}
    with pytest.raises(InputError, match="identity token"):
        find_credentials(REFERENCE, write(tmp_path, auths={"registry.example:5000": entry}))


def test_a_credential_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-ours"
    helper.write_text(
        '#!/bin/sh\nread -r server; [ "$1" = get ] && [ "$server" = registry.example:5000 ] || '
        'exit 1\necho \'{"Username": "ann", "Secret": "open"}\'\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for document in ({"credsStore": "ours"}, {"credHelpers": {"registry.example:5000": "ours"}}):
        found = find_credentials(REFERENCE, write(tmp_path, **document))
        assert found == Credentials("ann", "open")
    with pytest.raises(InputError, match="plain word"):
        find_credentials(REFERENCE, write(tmp_path, credsStore="../../bin/sh"))
    with pytest.raises(SeclatchError, match="docker-credential-none"):
        find_credentials(REFERENCE, write(tmp_path, credsStore="none"))


def test_a_password_is_not_shown() -> None:
    assert "open" not in f"{Credentials('ann', 'open')!r} {Credentials('ann', 'open')}"
