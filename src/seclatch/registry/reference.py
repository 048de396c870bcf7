"""References to content of a registry: `HOST[:PORT]/REPOSITORY[:TAG][@sha256:…]`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from seclatch.errors import InputError
from seclatch.output.printable_text import clip_printable

_HOST = (
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::[0-9]{1,5})?"
)
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_REFERENCE = re.compile(
    rf"(?P<host>{_HOST})/(?P<repository>{_COMPONENT}(?:/{_COMPONENT})*)"
    rf"(?::(?P<tag>{_TAG}))?(?:@(?P<digest>[a-z0-9]+:[0-9a-f]+))?"
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MAX_LENGTH = 512
"""Characters of a reference; the distribution specification limits names to 255."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository of a registry, and what of it is meant: a tag, a digest, or nothing."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Return `HOST/REPOSITORY`, as signatures name it."""
        return f"{self.host}/{self.repository}"

    @property
    def is_loopback(self) -> bool:
        """Return whether the registry is on this machine."""
        return is_loopback(self.host)

    def pin(self, digest: str) -> Reference:
        """Return the reference to this digest, without a tag."""
        return replace(self, tag="", digest=digest)

    def with_tag(self, tag: str) -> Reference:
        """Return the reference to a tag of this repository."""
        return replace(self, tag=tag, digest="")

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Parse a reference that names its registry. Raises InputError."""
    shown = clip_printable(text, 100)
    match = _REFERENCE.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if match is None:
        raise InputError(
            shown,
            "",
            "not a reference to a registry",
            remedy="write HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST], the repository in lower "
            "case: registry.example/profiles/web:1",
        )
    host, digest = match["host"], match["digest"] or ""
    if host == "index.docker.io":  # cosign's name for it, in signatures too
        host = "docker.io"
    if not _names_registry(host):
        raise InputError(
            shown,
            "",
            f"{host} names no registry",
            remedy="begin with the registry's host: docker.io/… or registry.example/…",
        )
    if digest and not DIGEST.fullmatch(digest):
        raise InputError(shown, "", "the digest is not sha256 with 64 hexadecimal digits")
    return Reference(host, match["repository"], match["tag"] or "", digest)


def is_loopback(host: str) -> bool:
    """Return whether a host, with or without a port, is this machine's loopback."""
    bare = re.sub(r":\d+$", "", host).removeprefix("[").removesuffix("]")
    if bare.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def _names_registry(host: str) -> bool:
    """Return whether the first component is a host: Docker takes others for a repository's."""
    return "." in host or ":" in host or host == "localhost"
