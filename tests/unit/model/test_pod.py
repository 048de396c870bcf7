"""Pods as users name them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.model.pod import (
    CONTAINERD_KEYS,
    CRI_O_KEYS,
    PodSelector,
    find_keys,
    is_pod_name,
    is_sandbox,
    join_pod_names,
    parse_pod,
)

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(NAMES, NAMES, st.just("") | NAMES)
def test_names_are_parsed_as_they_are_joined(namespace: str, pod: str, container: str) -> None:
    selector = parse_pod(join_pod_names(namespace, pod, container))
    assert selector == PodSelector(namespace, pod, container)
    assert str(selector) == join_pod_names(namespace, pod, container)
    assert selector.matches(namespace, pod, container)
    assert selector.matches(namespace, pod, "other") == (container in ("", "other"))
    assert not selector.matches(f"{namespace}x", pod, container)


@pytest.mark.parametrize(
    "text", ["", "web", "/web", "a/", "a/b/", "a//c", "a/b/c/d", "a/../c", "a/b\n", "a/\x1b[2J"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="NAMESPACE/POD"):
        parse_pod(text)


@given(st.text())
def test_a_name_has_neither_slash_nor_control_character(text: str) -> None:
    if is_pod_name(text):
        assert text.isprintable()
        assert "/" not in text


def test_the_implementation_of_a_bundle() -> None:
    one, other = {CONTAINERD_KEYS.kind: "sandbox"}, {CRI_O_KEYS.kind: "sandbox"}
    assert (find_keys(one), find_keys(other)) == (CONTAINERD_KEYS, CRI_O_KEYS)
    assert find_keys({}) is None and find_keys(one | other) is None
    assert is_sandbox(one, CONTAINERD_KEYS) and is_sandbox(other, CRI_O_KEYS)
    assert not is_sandbox(other | {CRI_O_KEYS.container: "web"}, CRI_O_KEYS)
