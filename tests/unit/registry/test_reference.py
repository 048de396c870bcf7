"""References: what is read from them, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError
from seclatch.registry.reference import is_loopback, parse_reference

DIGEST = f"sha256:{'0a' * 32}"


@pytest.mark.parametrize(
    "text",
    [
        "registry.example/web",
        "registry.example:5000/profiles/web:1.2_x-y",
        f"localhost/a/b--c/d__e@{DIGEST}",
        f"[::1]:5000/web:1@{DIGEST}",
        "127.0.0.1:1/x",
    ],
)
def test_a_reference_is_written_as_it_was_read(text: str) -> None:
    assert str(parse_reference(text)) == text


def test_docker_hub_has_one_name() -> None:
    """cosign writes the other one into the signatures of what is at docker.io."""
    assert parse_reference("index.docker.io/ann/web:1") == parse_reference("docker.io/ann/web:1")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("nginx", "not a reference"),
        ("library/nginx", "names no registry"),
        ("Registry.example/Web", "not a reference"),
        ("registry.example/../web", "not a reference"),
        ("registry.example//web", "not a reference"),
        ("https://registry.example/web", "not a reference"),
        ("registry.example/web@sha256:0a", "not sha256"),
        (f"registry.example/web@sha512:{'0a' * 64}", "not sha256"),
        ("user:password@registry.example/web", "not a reference"),
        ("registry.example/web?x=1", "not a reference"),
        (f"registry.example/{'a' * 600}", "not a reference"),
        ("registry.example/web\n", "not a reference"),
        ("registry.example:\u0665\u0660/web", "not a reference"),
        ("registry.example/w\x1b[2J", "not a reference"),
    ],
)
def test_what_is_no_reference(text: str, rule: str) -> None:
    with pytest.raises(InputError, match=rule) as caught:
        parse_reference(text)
    assert str(caught.value).isprintable()


@given(st.text(max_size=80) | st.from_regex(r"[a-z.:/@0-9-]{0,60}", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_reference(text)
    except InputError:
        return
    assert str(found) == text and ".." not in found.repository


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("localhost.example", False),
        ("127.0.0.1.example:80", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
