"""Operations on one repository of a registry (OCI distribution-spec 1.1)."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from urllib.parse import quote

from seclatch.errors import SeclatchError
from seclatch.output.printable_text import clip_printable
from seclatch.registry.artifact_manifest import (
    MANIFEST_TYPE,
    ArtifactManifest,
    digest_of,
    read_manifest,
)
from seclatch.registry.reference import DIGEST, Reference
from seclatch.registry.registry_http import (
    MAX_JSON,
    HttpAnswer,
    RegistryAccess,
    RegistryHttp,
    read_json,
)

MAX_TAGS = 20_000
_PAGE = 1000
_MAX_PAGES = 400
_WAITS = (0.1, 0.4, 1.5)
_MAX_TAGS_ANSWER = 4 << 20


class RegistryClient:
    """A repository's manifests, blobs and tags; what is read has the digest that was asked for."""

    def __init__(self, reference: Reference, access: RegistryAccess) -> None:
        self.reference = reference
        self._http = RegistryHttp(reference, access)

    def get_manifest(self, which: str) -> tuple[bytes, str]:
        """Return a manifest by tag or digest, and its digest. Raises SeclatchError."""
        found = self.find_manifest(which)
        if found is None:
            raise SeclatchError(
                f"registry {self.reference.host}: {self.reference.repository} has no {which}"
            )
        return found

    def find_manifest(self, which: str) -> tuple[bytes, str] | None:
        """Return a manifest by tag or digest, and its digest; None if there is none."""
        answer = self._http.request("GET", f"manifests/{which}", headers={"Accept": MANIFEST_TYPE})
        if answer.status == 404:
            return None
        self._require(answer, 200)
        digest = digest_of(answer.body)
        if DIGEST.fullmatch(which) and digest != which:
            raise self._tampered(f"manifest {which}", digest)
        return answer.body, digest

    def read_manifest(self, data: bytes, digest: str) -> ArtifactManifest:
        """Interpret a manifest. Raises SeclatchError."""
        try:
            return read_manifest(data)
        except ValueError as error:
            raise SeclatchError(f"{self.reference.pin(digest)}: {error}", status=1) from error

    def get_blob(self, digest: str, size: int, most: int = MAX_JSON) -> bytes:
        """Return a blob of this digest and size. Raises SeclatchError."""
        if size > most:
            raise SeclatchError(
                f"{self.reference.name}: blob {digest} has {size} bytes, more than {most}",
                status=1,
            )
        answer = self._http.request("GET", f"blobs/{digest}", most=size)
        self._require(answer, 200)
        if digest_of(answer.body) != digest:
            raise self._tampered(f"blob {digest}", digest_of(answer.body))
        return answer.body

    def put_blob(self, data: bytes) -> None:
        """Upload a blob unless the registry has it."""
        digest = digest_of(data)
        if self._http.request("HEAD", f"blobs/{digest}").status == 200:
            return
        begun = self._http.request("POST", "blobs/uploads/", body=b"")
        self._require(begun, 202)
        location = begun.headers.get("location", "")
        if not location:
            raise SeclatchError(f"registry {self.reference.host}: an upload without a Location")
        separator = "&" if "?" in location else "?"
        answer = self._http.request(
            "PUT",
            f"{location}{separator}digest={quote(digest)}",
            headers={"Content-Type": "application/octet-stream"},
            body=data,
        )
        self._require(answer, 201)

    def put_artifact(self, blobs: Sequence[bytes], manifest: bytes, tag: str = "") -> str:
        """Upload a manifest and its blobs, under a tag or by digest alone; return the digest.

        A registry to which others push the same blob at the same time can answer for a moment that
        it has none (distribution 2.8 writes its links in place): then all is sent once more.
        """
        for wait in (*_WAITS, None):
            for blob in blobs:
                self.put_blob(blob)
            answer = self._send_manifest(manifest, tag)
            if answer.status != 400 or wait is None:
                break
            time.sleep(wait * (1 + random.random()))  # noqa: S311 - spreads the pushers
        self._require(answer, 201)
        digest = digest_of(manifest)
        said = answer.headers.get("docker-content-digest", digest)
        if said != digest:
            raise self._tampered(f"manifest {digest}", clip_printable(said, 80))
        return digest

    def _send_manifest(self, manifest: bytes, tag: str) -> HttpAnswer:
        return self._http.request(
            "PUT",
            f"manifests/{tag or digest_of(manifest)}",
            headers={"Content-Type": MANIFEST_TYPE},
            body=manifest,
        )

    def list_tags(self) -> list[str]:
        """Return the tags of the repository, page by page; [] if there is no such repository."""
        tags: list[str] = []
        path = f"tags/list?n={_PAGE}"
        for _ in range(_MAX_PAGES):
            answer = self._http.request("GET", path, most=_MAX_TAGS_ANSWER)
            if answer.status == 404:
                return []
            self._require(answer, 200)
            page = read_json(answer.body).get("tags") or []
            if not isinstance(page, list) or len(tags) + len(page) > MAX_TAGS:
                break
            tags += [tag for tag in page if isinstance(tag, str)]
            if not page or 'rel="next"' not in answer.headers.get("link", "") or not tags:
                return sorted(set(tags))
            path = f"tags/list?n={_PAGE}&last={quote(tags[-1])}"
        raise SeclatchError(
            f"registry {self.reference.host}: {self.reference.repository} has more than {MAX_TAGS} "
            f"tags, or more than {_MAX_PAGES} pages of them"
        )

    def _require(self, answer: HttpAnswer, status: int) -> None:
        if answer.status != status:
            raise self._http.explain(answer)

    def _tampered(self, what: str, instead: str) -> SeclatchError:
        return SeclatchError(
            f"registry {self.reference.host}: {what} of {self.reference.repository}: the content "
            f"has the digest {instead}; refused",
            status=1,
        )
