"""The one request to a Kubernetes API server: set or remove the label of the own node.

With the pod's service account, as kubelet mounts it. A merge patch needs no reading: the account
has the verb `patch` on nodes and no other.
"""

from __future__ import annotations

import json
import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from seclatch.errors import SeclatchError
from seclatch.output.printable_text import clip_printable

LABEL = "seclatch.io/latch"
READY = "ready"
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")  # RFC 1123 subdomain
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_NO_ACCOUNT = "the pod needs automountServiceAccountToken: true"
_SECONDS = 20
_MAX_ANSWER = 4 << 20
"""Bytes; a node's status lists its images, and makes it some 50 KB."""


@dataclass(frozen=True, slots=True)
class NodeApi:
    """A node's name, and the API server's address."""

    node: str
    server: str
    account: Path = _ACCOUNT

    def set_label(self, value: str | None) -> None:
        """Set the label to a value, or remove it (None). Raises SeclatchError."""
        what = f"{'removing' if value is None else 'setting'} the label {LABEL} of {self.node}"
        try:
            from urllib3 import PoolManager, Timeout
            from urllib3.exceptions import HTTPError
        except ImportError as error:
            raise SeclatchError(
                f"{what}: urllib3 is not installed",
                remedy="install seclatch with it: pipx install 'seclatch[node]'",
                status=2,
            ) from error
        pool = PoolManager(
            retries=False, timeout=Timeout(total=_SECONDS), ssl_context=self._trust(what)
        )
        headers = {
            "Authorization": f"Bearer {self._read_token(what)}",
            "Content-Type": "application/merge-patch+json",
            "Accept": "application/json",
        }
        body = json.dumps({"metadata": {"labels": {LABEL: value}}})
        url = f"{self.server}/api/v1/nodes/{quote(self.node)}?fieldManager=seclatch"
        try:
            answer = pool.request(
                "PATCH", url, body, headers=headers, redirect=False, preload_content=False
            )
            content = answer.read(_MAX_ANSWER)
            answer.close()
        except (HTTPError, OSError) as error:
            raise SeclatchError(f"{what}: {clip_printable(str(error), 300)}") from error
        if answer.status != 200:
            raise _refused(what, answer.status, content)
        if _read_label(content) != value:
            raise SeclatchError(f"{what}: the API server answers with a node that has another")

    def _trust(self, what: str) -> ssl.SSLContext:
        file = self.account / "ca.crt"
        try:
            return ssl.create_default_context(cafile=str(file))
        except (OSError, ssl.SSLError) as error:
            raise SeclatchError(f"{what}: {file}: {error}", remedy=_NO_ACCOUNT) from error

    def _read_token(self, what: str) -> str:
        """Read the token, which kubelet replaces before it expires."""
        file = self.account / "token"
        try:
            token = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SeclatchError(f"{what}: {file}: {error}", remedy=_NO_ACCOUNT) from error
        if not _TOKEN.fullmatch(token):
            raise SeclatchError(f"{what}: {file}: not a token")
        return token


def find_node_api(node: str) -> NodeApi:
    """Return the API server of this pod's cluster (KUBERNETES_SERVICE_HOST). Raises."""
    if not _NODE_NAME.fullmatch(node):
        raise SeclatchError(
            f"setting the label {LABEL}: {clip_printable(node, 100)!r} is no node's name",
            remedy="--label NODE; in a pod from the field spec.nodeName",
            status=2,
        )
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    port = os.environ.get("KUBERNETES_SERVICE_PORT_HTTPS") or "443"
    if not host:
        raise SeclatchError(
            f"setting the label {LABEL}: KUBERNETES_SERVICE_HOST is not set",
            remedy="--label is for a pod of a cluster (seclatch kubernetes manifest)",
            status=2,
        )
    return NodeApi(node, f"https://{f'[{host}]' if ':' in host else host}:{port}")


def _refused(what: str, status: int, content: bytes) -> SeclatchError:
    said = _read_object(content).get("message", "")
    remedy = ""
    if status in (401, 403):
        remedy = "apply the output of `seclatch kubernetes manifest` again: role and policy"
    return SeclatchError(f"{what}: HTTP {status}: {clip_printable(str(said), 300)}", remedy=remedy)


def _read_label(content: bytes) -> object:
    metadata = _read_object(content).get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return labels.get(LABEL) if isinstance(labels, dict) else None


def _read_object(content: bytes) -> dict[str, object]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
