"""Origin of a recording: images, and the software that started their containers."""

from __future__ import annotations

import msgspec


class ContainerImage(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A container's image, as its engine reports it.

    `id` is the digest of its configuration, `digest` that of the manifest, by which registries know
    it; both begin with `sha256:`.
    """

    name: str = ""
    id: str = ""
    digest: str = ""


class Software(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A program that took part in a start.

    `stage` is its stage, `version` the first line of its version output, empty where it could not
    be run.
    """

    stage: str
    name: str
    path: str
    version: str = ""
