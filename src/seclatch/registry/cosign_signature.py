"""Signatures in cosign's format: a "simple signing" payload, signed with a key, offline.

The payload names the manifest's digest and the repository; ECDSA with SHA-256, as `cosign sign
--key` makes it and `cosign verify --key` and containers-policy.json(5) `sigstoreSigned` read it.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import TYPE_CHECKING

from seclatch.errors import InputError, SeclatchError
from seclatch.registry.reference import Reference, parse_reference
from seclatch.registry.registry_http import read_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )

PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"
_TYPE = "cosign container image signature"
_MAX_KEY = 1 << 16
_COSIGN_KEY = b"ENCRYPTED SIGSTORE PRIVATE KEY"
_COSIGN_OLD_KEY = b"ENCRYPTED COSIGN PRIVATE KEY"
_MAKE_KEY = (
    "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY; "
    "openssl pkey -in KEY -pubout -out KEY.pub"
)


def make_payload(reference: Reference, digest: str) -> bytes:
    """Return what is signed: this digest in this repository.

    The identity has the digest, too: containers-policy.json(5) accepts none that is a name alone,
    unless a policy says matchRepository. cosign does not compare it.
    """
    critical = {
        "identity": {"docker-reference": str(reference.pin(digest))},
        "image": {"docker-manifest-digest": digest},
        "type": _TYPE,
    }
    document = {"critical": critical, "optional": None}
    return json.dumps(document, separators=(",", ":")).encode()


def find_payload_fault(payload: bytes, name: str, digest: str) -> str:
    """Return in what a payload differs from what is wanted; "" if it does not."""
    critical = read_json(payload).get("critical")
    if not isinstance(critical, dict) or critical.get("type") != _TYPE:
        return "it is no signature of a container image"
    image, identity = critical.get("image"), critical.get("identity")
    if not isinstance(image, dict) or image.get("docker-manifest-digest") != digest:
        return "it is for another digest"
    named = identity.get("docker-reference") if isinstance(identity, dict) else None
    if not isinstance(named, str) or not _is_of_repository(named, name):
        return "it is for another repository"
    return ""


def _is_of_repository(reference: str, name: str) -> bool:
    try:
        return parse_reference(reference).name == name
    except InputError:
        return False


def sign_payload(key: EllipticCurvePrivateKey, payload: bytes) -> str:
    """Return the signature, as manifests carry it."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    return base64.b64encode(key.sign(payload, ECDSA(SHA256()))).decode()


def is_signed(key: EllipticCurvePublicKey, payload: bytes, signature: str) -> bool:
    """Return whether the key made the signature of this payload."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(base64.b64decode(signature, validate=True), payload, ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def load_private_key(path: Path, password: str) -> EllipticCurvePrivateKey:
    """Read a private key in PEM form, encrypted or not. Raises InputError."""
    data = _read_key(path)
    if _COSIGN_KEY in data or _COSIGN_OLD_KEY in data:
        raise InputError(
            str(path),
            "",
            "a key in cosign's own encryption, which seclatch does not read",
            remedy=f"make one in PEM form: {_MAKE_KEY}",
        )
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(data, password.encode() or None)
    except TypeError as error:  # encrypted without a password, or the reverse
        raise InputError(
            str(path), "", str(error), remedy="SECLATCH_SIGN_PASSWORD has the password of the key"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(str(path), "", "not a private key in PEM form, or its password") from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise InputError(str(path), "", "not an ECDSA key", remedy=_MAKE_KEY)
    return key


def load_public_key(path: Path) -> EllipticCurvePublicKey:
    """Read a public key in PEM form, such as cosign.pub. Raises InputError."""
    data = _read_key(path)
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(str(path), "", "not a public key in PEM form") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise InputError(str(path), "", "not an ECDSA key, as cosign makes them")
    return key


def _read_key(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_KEY)
    except OSError as error:
        raise InputError(str(path), "", f"cannot read it: {error.strerror}") from error


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise SeclatchError(
            "making or verifying a signature: the package cryptography is not installed",
            remedy="install seclatch with it: pipx install 'seclatch[registry]'",
            status=2,
        ) from error
