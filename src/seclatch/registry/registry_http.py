"""HTTP to one registry: TLS, tokens, redirects; answers of bounded size.

By urllib3, whose answers can be read in steps. A registry may be hostile: nothing is read beyond a
limit, redirects and upload locations are followed by the rules below, credentials are sent to the
registry and to the token service that it names, over TLS alone (or where plain HTTP is permitted).
"""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode, urljoin, urlsplit
from urllib.request import getproxies, parse_http_list, parse_keqv_list, proxy_bypass

from seclatch.errors import InputError, SeclatchError
from seclatch.output.printable_text import clip_printable
from seclatch.registry.reference import Reference, is_loopback
from seclatch.registry.registry_credentials import Credentials, find_credentials
from seclatch.version import __version__

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

MAX_JSON = 1 << 18
"""Bytes of a manifest, a token or an error; a profile's manifest has some 700."""

_MAX_HEADER = 8192
_MAX_REDIRECTS = 3
_SECONDS = 30
"""To connect, and between two packets; the whole command has a limit of its own."""

_ATTEMPTS = 4
_CONNECTIONS = 16
"""Connections kept open, for threads that send at the same time."""

_BUSY = (429, 500, 502, 503, 504)
_DOCKER_HUB = "registry-1.docker.io"
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """How registries are reached.

    `plain_http` permits HTTP to loopback, and to the hosts of `plain_hosts`.
    """

    auth_file: Path | None = None
    ca_file: Path | None = None
    plain_http: bool = False
    plain_hosts: frozenset[str] = frozenset()

    def is_plain(self, host: str) -> bool:
        """Return whether a host is reached without TLS."""
        return host in self.plain_hosts or (self.plain_http and is_loopback(host))


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is sent; `most` is how many bytes of the answer's body are read at most."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    most: int = MAX_JSON

    def authorized(self, authorization: str) -> HttpRequest:
        """Return the request with this header, if there is one."""
        if not authorization:
            return self
        return replace(self, headers={**self.headers, "Authorization": authorization})


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A status, headers (names in lower case), and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class RegistryHttp:
    """Requests to the registry of `reference`, with the authorization that it asks for."""

    reference: Reference
    access: RegistryAccess = field(default_factory=RegistryAccess)
    _pools: dict[str, PoolManager] = field(default_factory=dict)
    _authorization: str = ""

    @property
    def base(self) -> str:
        """Return the URL of the repository in the distribution API."""
        host = self.reference.host
        if self.access.plain_http and not self.access.is_plain(host):
            raise SeclatchError(
                f"reaching {host}: --plain-http is for registries on loopback alone",
                remedy=f"--plain-http-to {host}, if everyone between may read and change it",
                status=2,
            )
        scheme = "http" if self.access.is_plain(host) else "https"
        name = _DOCKER_HUB if host == "docker.io" else host
        return f"{scheme}://{name}/v2/{self.reference.repository}/"

    def request(self, method: str, path: str, **more: Any) -> HttpAnswer:
        """Request a path of the repository, or a URL of the registry, and follow redirects.

        `more` are fields of HttpRequest.
        """
        asked = HttpRequest(method, self._resolve(self.base, path), **more)
        self._require_same_registry(asked.url)
        for _ in range(_MAX_REDIRECTS + 1):
            own = _origin(asked.url) == _origin(self.base)
            answer = self._send_authorized(asked) if own else self._send(asked)
            if answer.status not in _REDIRECTS or method not in ("GET", "HEAD"):
                return answer
            location = answer.headers.get("location", "")
            asked = replace(asked, url=self._resolve(asked.url, location))
            self._require_safe(asked.url, "redirects to")
        raise self._error(f"more than {_MAX_REDIRECTS} redirects")

    def _send_authorized(self, asked: HttpRequest) -> HttpAnswer:
        """Send with the authorization so far; if the registry asks for one, get it and repeat."""
        answer = self._send(asked.authorized(self._authorization))
        if answer.status != 401:
            return answer
        self._authorization = self._authorize(answer.headers.get("www-authenticate", ""))
        return self._send(asked.authorized(self._authorization))

    def _authorize(self, challenge: str) -> str:
        """Return the Authorization header that a challenge asks for (RFC 7235)."""
        scheme, _, rest = challenge[:_MAX_HEADER].partition(" ")
        credentials = find_credentials(self.reference, self.access.auth_file)
        if scheme.lower() == "basic":
            if credentials is None:
                raise self._no_credentials()
            return credentials.basic
        if scheme.lower() != "bearer":
            raise self._error(f"asks for an unknown authorization, {clip_printable(scheme, 40)!r}")
        try:
            asked = parse_keqv_list(parse_http_list(rest))
        except (ValueError, IndexError) as error:
            raise self._error("asks for authorization in a malformed header") from error
        return f"Bearer {self._get_token(asked, credentials)}"

    def _get_token(self, asked: Mapping[str, str], credentials: Credentials | None) -> str:
        realm = self._resolve("", asked.get("realm", ""))
        self._require_safe(realm, "has its tokens issued by")
        query = {"scope": f"repository:{self.reference.repository}:pull,push"} | {
            name: asked[name] for name in ("service", "scope") if name in asked
        }
        url = f"{realm}{'&' if urlsplit(realm).query else '?'}{urlencode(query)}"
        answer = self._send(
            HttpRequest("GET", url).authorized(credentials.basic if credentials else "")
        )
        if answer.status in (401, 403):
            raise self._no_credentials() if credentials is None else self.explain(answer)
        document = read_json(answer.body) if answer.status == 200 else {}
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise self._error(f"its token service answers {answer.status} without a token")
        return token

    def _send(self, asked: HttpRequest) -> HttpAnswer:
        """Send one request; a busy registry and a broken connection get further attempts."""
        pool = self._open_pool(asked.url)
        from urllib3.exceptions import HTTPError, SSLError

        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._send_once(pool, asked)
            except SSLError as error:
                raise self._error(
                    f"TLS: {clip_printable(str(error), 300)}",
                    "--ca-file FILE, if its certificate is of an authority of your own",
                ) from error
            except (HTTPError, OSError, ValueError) as error:
                if attempt == _ATTEMPTS:
                    raise self._error(clip_printable(str(error), 300)) from error
            else:
                if answer.status not in _BUSY or attempt == _ATTEMPTS:
                    return answer
            time.sleep(0.2 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _send_once(self, pool: PoolManager, asked: HttpRequest) -> HttpAnswer:
        answer = pool.request(
            asked.method,
            asked.url,
            headers={
                "User-Agent": f"seclatch/{__version__}",
                "Accept-Encoding": "identity",
                **asked.headers,
            },
            body=asked.body,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            content = b"" if asked.method == "HEAD" else self._read(answer, asked.most)
            found = {name.lower(): value[:_MAX_HEADER] for name, value in answer.headers.items()}
        except BaseException:
            answer.close()  # whatever else comes is not read
            raise
        answer.release_conn()
        return HttpAnswer(answer.status, found, content)

    def _read(self, answer: BaseHTTPResponse, most: int) -> bytes:
        parts, left = [], most
        while part := answer.read1(1 << 16, decode_content=False):
            left -= len(part)
            if left < 0:
                raise self._error(f"answers more than {most} bytes: refused")
            parts.append(part)
        return b"".join(parts)

    def _open_pool(self, url: str) -> PoolManager:
        """Return the connections by the proxy for this host: storage may have another one."""
        proxy = _find_proxy(url)
        if proxy not in self._pools:
            self._pools[proxy] = _make_pool(proxy, self.access.ca_file)
        return self._pools[proxy]

    def _resolve(self, base: str, location: str) -> str:
        """Return the URL that a location means. Raises SeclatchError for a malformed one."""
        try:
            url = urljoin(base, location)
            _ = urlsplit(url).port
        except ValueError as error:
            shown = clip_printable(location, 100)
            raise self._error(f"names {shown!r}, which is no URL") from error
        return url

    def _require_same_registry(self, url: str) -> None:
        """Refuse an upload's location elsewhere: credentials and content would go there."""
        if _origin(url) != _origin(self.base):
            raise self._error(f"sends uploads to another host, {clip_printable(url, 100)}")

    def _require_safe(self, url: str, what: str) -> None:
        """Refuse a URL that is neither HTTPS nor HTTP to a host where that is permitted."""
        parts = urlsplit(url)
        plain = parts.scheme == "http" and self.access.is_plain(parts.netloc)
        if "@" in parts.netloc or not parts.netloc or not (parts.scheme == "https" or plain):
            raise self._error(f"{what} {clip_printable(url, 100)!r}, which is not HTTPS")

    def _no_credentials(self) -> SeclatchError:
        return self._error(
            "it asks for credentials",
            f"podman login {self.reference.host}, docker login, or --auth-file FILE",
        )

    def _error(self, problem: str, remedy: str = "") -> SeclatchError:
        return SeclatchError(f"registry {self.reference.host}: {problem}", remedy=remedy)

    def explain(self, answer: HttpAnswer) -> SeclatchError:
        """Return an error with the status and what the registry says about it."""
        said = ""
        errors = read_json(answer.body).get("errors")
        if isinstance(errors, list) and errors and isinstance(errors[0], dict):
            words = (str(errors[0].get(name) or "") for name in ("code", "message"))
            said = clip_printable(" ".join(filter(None, words)), 200)
        remedy = ""
        if answer.status in (401, 403):
            remedy = "log in as a user who may do that: podman login, docker login, --auth-file"
        return self._error(
            f"{self.reference.repository}: HTTP {answer.status}{f': {said}' if said else ''}",
            remedy,
        )


def read_json(body: bytes) -> dict[str, Any]:
    """Return a JSON object; {} for anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _find_proxy(url: str) -> str:
    """Return the environment's proxy for a URL; "" without one."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme, "")
    if not proxy or is_loopback(parts.netloc) or proxy_bypass(parts.hostname or ""):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _make_pool(proxy: str, ca_file: Path | None) -> PoolManager:
    try:
        from urllib3 import PoolManager, ProxyManager, Timeout, make_headers
        from urllib3.exceptions import HTTPError
    except ImportError as error:
        raise SeclatchError(
            "reaching a registry: urllib3 is not installed",
            remedy="install seclatch with it: pipx install 'seclatch[registry]'",
            status=2,
        ) from error
    settings: dict[str, Any] = {
        "retries": False,
        "maxsize": _CONNECTIONS,
        "timeout": Timeout(connect=_SECONDS, read=_SECONDS),
        "ssl_context": _trust(ca_file),
    }
    if not proxy:
        return PoolManager(**settings)
    user, at, address = proxy.partition("://")[2].rpartition("@")
    headers = make_headers(proxy_basic_auth=unquote(user)) if at else {}
    try:
        return ProxyManager(proxy, proxy_headers=headers, **settings)
    except (HTTPError, ValueError) as error:
        raise SeclatchError(
            f"reaching a registry: the environment's proxy {clip_printable(address, 100)} has no "
            "address that begins with http:// or https://",
            status=2,
        ) from error


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise InputError(str(ca_file), "", f"no certificates in PEM form: {error}") from error
