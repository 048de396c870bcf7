"""Signatures of payloads, and what a payload must say."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError
from seclatch.registry.cosign_signature import (
    find_payload_fault,
    is_signed,
    load_private_key,
    load_public_key,
    make_payload,
    sign_payload,
)
from seclatch.registry.reference import parse_reference

REFERENCE = parse_reference("registry.example/web")
DIGEST = f"sha256:{'a' * 64}"
KEY = ec.generate_private_key(ec.SECP256R1())
PAYLOAD = make_payload(REFERENCE, DIGEST)
SIGNATURE = sign_payload(KEY, PAYLOAD)


def test_a_signature_is_of_one_key_and_one_payload() -> None:
    assert is_signed(KEY.public_key(), PAYLOAD, SIGNATURE)
    assert not is_signed(KEY.public_key(), PAYLOAD + b" ", SIGNATURE)
    assert not is_signed(ec.generate_private_key(ec.SECP256R1()).public_key(), PAYLOAD, SIGNATURE)


@given(
    st.binary(max_size=90) | st.text(max_size=90).map(lambda text: text.encode("utf-8", "replace"))
)
def test_anything_else_is_no_signature(data: bytes) -> None:
    assert not is_signed(KEY.public_key(), PAYLOAD, base64.b64encode(data).decode())
    assert not is_signed(KEY.public_key(), PAYLOAD, data.decode("latin-1"))


def test_the_payload_names_digest_and_repository() -> None:
    assert find_payload_fault(PAYLOAD, "registry.example/web", DIGEST) == ""
    assert "another repository" in find_payload_fault(PAYLOAD, "registry.example/db", DIGEST)
    assert "another digest" in find_payload_fault(
        PAYLOAD, "registry.example/web", f"sha256:{'b' * 64}"
    )
    as_cosign = PAYLOAD.replace(b"@" + DIGEST.encode(), b"", 1)
    assert as_cosign != PAYLOAD
    assert find_payload_fault(as_cosign, "registry.example/web", DIGEST) == ""


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.dictionaries(
            st.sampled_from(["critical", "identity", "image", "type", "docker-reference"]), inner
        ),
    )
)
def test_any_document_is_refused(document: object) -> None:
    assert find_payload_fault(json.dumps(document).encode(), "registry.example/web", DIGEST)


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_what_is_no_key(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    with pytest.raises(InputError, match="not a public key"):
        load_public_key(file)
    with pytest.raises(InputError, match="not a private key"):
        load_private_key(file, "")


def test_another_kind_of_key(tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    private, public = tmp_path / "key", tmp_path / "key.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(InputError, match="not an ECDSA key"):
        load_public_key(public)
    with pytest.raises(InputError, match="not an ECDSA key"):
        load_private_key(private, "")
