"""Where a recording comes from: images, and the software that started their containers."""

from __future__ import annotations

import msgspec


class ContainerImage(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A container's image, as its engine told it. `id` is the digest of its configuration,
    `digest` that of the manifest, by which registries know it; both begin with `sha256:`."""

    name: str = ""
    id: str = ""
    digest: str = ""


class Software(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A program that took part in a start: `stage` is its own, `version` the first line of what it
    says of itself, empty where it could not be asked."""

    stage: str
    name: str
    path: str
    version: str = ""
