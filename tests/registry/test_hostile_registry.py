"""A registry that attacks those who pull from it, and push to it. The stand-in is the attacker."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seclatch.errors import SeclatchError
from seclatch.fleet.counts_artifact import COUNTS_TYPE, counts_tag
from seclatch.fleet.pull_counts import WantedCounts, pull_counts
from seclatch.fleet.pull_profile import PullPolicy, pull_profile
from seclatch.fleet.push_profile import ProfileLayer, push_profile
from seclatch.model.recording.merge_recordings import ContainerGroup
from seclatch.profile.artifact.profile_artifact import LAYER_TYPE, MEDIA_TYPE
from seclatch.registry.artifact_manifest import ArtifactManifest, Descriptor, describe_blob
from seclatch.registry.reference import parse_reference
from seclatch.registry.registry_client import RegistryClient
from seclatch.registry.registry_http import RegistryAccess
from tests.registry.conftest import ALLOWED, Seclatch, make_profile
from tests.registry.hostile_registry import Handler, HostileRegistry, reply, serve_hostile

LAYER = json.dumps(make_profile(ALLOWED)).encode()
CONFIG = b"{}"
ANY = PullPolicy(allow_unsigned=True)


@pytest.fixture
def evil(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileRegistry]:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with serve_hostile() as found:
        yield found


@pytest.fixture
def access(tmp_path: Path, evil: HostileRegistry) -> RegistryAccess:
    """With credentials for the registry, which no other host may see."""
    auth = base64.b64encode(b"ann:secret").decode()
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": {evil.host: {"auth": auth}}}))
    return RegistryAccess(auth_file=file, plain_http=True)


def manifest_of(layer: Descriptor, **more: object) -> bytes:
    made = ArtifactManifest(describe_blob(CONFIG, MEDIA_TYPE), (layer,), MEDIA_TYPE)
    return json.dumps(json.loads(made.to_bytes()) | more).encode()


def honest(evil: HostileRegistry) -> str:
    evil.add_blob(LAYER)
    return evil.add_manifest(manifest_of(describe_blob(LAYER, LAYER_TYPE)))


def pull(reference: str, access: RegistryAccess) -> str:
    """Return the error of a pull."""
    with pytest.raises(SeclatchError) as caught:
        pull_profile(parse_reference(reference), access, ANY)
    return str(caught.value)


def test_an_honest_answer_is_taken(evil: HostileRegistry, access: RegistryAccess) -> None:
    """The control of all tests here."""
    assert pull_profile(parse_reference(honest(evil)), access, ANY).data == LAYER


@pytest.mark.parametrize("what", ["manifests", "blobs"])
def test_an_endless_answer_is_not_read(
    evil: HostileRegistry, access: RegistryAccess, what: str
) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(4000):
                handler.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
                evil.sent += 1 << 16

    reference = honest(evil)
    evil.behaviours[what] = endless
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "refused" in pull(reference, access)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KB
    assert evil.sent < 40 << 20  # what socket buffers hold


@pytest.mark.parametrize("what", ["manifests", "blobs"])
def test_other_content_than_the_digest_says(
    evil: HostileRegistry, access: RegistryAccess, what: str
) -> None:
    reference = honest(evil)
    [path] = [path for path in evil.content if path.startswith(what)]
    changed = evil.content[path].replace(b"e", b"f", 1)
    assert changed != evil.content[path]
    evil.content[path] = changed
    assert "has the digest" in pull(reference, access)


def test_a_blob_longer_than_declared(evil: HostileRegistry, access: RegistryAccess) -> None:
    digest = evil.add_blob(LAYER)
    reference = evil.add_manifest(manifest_of(Descriptor(LAYER_TYPE, digest, len(LAYER) - 1)))
    assert "more than" in pull(reference, access)


def test_a_blob_of_two_gigabytes_is_not_asked_for(
    evil: HostileRegistry, access: RegistryAccess
) -> None:
    digest = evil.add_blob(LAYER)
    reference = evil.add_manifest(manifest_of(Descriptor(LAYER_TYPE, digest, 1 << 31)))
    assert "more than" in pull(reference, access)
    assert not [path for _, path, _ in evil.requests if "blobs" in path]


@pytest.mark.parametrize(
    "manifest",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\xff\xfe",
        b"null",
        b"{}",
        manifest_of(describe_blob(LAYER, LAYER_TYPE), layers=[]),
        manifest_of(describe_blob(LAYER, LAYER_TYPE), layers=[{}]),
        manifest_of(
            describe_blob(LAYER, LAYER_TYPE),
            layers=[describe_blob(LAYER, LAYER_TYPE).to_json()] * 2,
        ),
        manifest_of(
            describe_blob(LAYER, LAYER_TYPE),
            layers=[describe_blob(LAYER, LAYER_TYPE).to_json() | {"urls": ["file:///etc/shadow"]}],
        ),
        manifest_of(Descriptor(LAYER_TYPE, "sha256:../../../../etc/passwd", 9)),
        manifest_of(Descriptor(LAYER_TYPE, f"md5:{'a' * 32}", 9)),
        manifest_of(Descriptor(LAYER_TYPE, describe_blob(LAYER, "").digest, -1)),
        manifest_of(describe_blob(LAYER, LAYER_TYPE), artifactType="text/\x1b[2J"),
        manifest_of(describe_blob(LAYER, LAYER_TYPE), schemaVersion=1),
        manifest_of(describe_blob(LAYER, LAYER_TYPE), annotations={"a": 1}),
        manifest_of(describe_blob(LAYER, LAYER_TYPE), mediaType="application/vnd.oci.image.index"),
    ],
)
def test_a_malformed_manifest(
    evil: HostileRegistry, access: RegistryAccess, manifest: bytes
) -> None:
    evil.add_blob(LAYER)
    assert pull(evil.add_manifest(manifest), access).isprintable()


@pytest.mark.parametrize(
    "layer",
    [
        b"[" * 100_000,
        b'{"defaultAction":' * 5000,
        b"\x1f\x8b" + bytes(40),
        b"\xff",
        b"{}",
        b"[]",
        LAYER + LAYER,
        LAYER.replace(b'"syscalls"', b'"Syscalls"'),
        LAYER.replace(b"}]", b', "includes": {"caps": ["CAP_SYS_ADMIN"]}}]'),
        LAYER.replace(b'"syscalls"', b'"defaultAction": "SCMP_ACT_ALLOW", "syscalls"'),
        LAYER.replace(b'"syscalls"', b'"listenerPath": "/run/a.sock", "syscalls"'),
        LAYER.replace(b"SCMP_ACT_ALLOW", b"SCMP_ACT_NOTIFY"),
        LAYER.replace(b"read", b"\\u001b[2J"),
        b"kind: SeccompProfile\napiVersion: x\n",
    ],
)
def test_a_layer_that_runtimes_refuse(
    evil: HostileRegistry, access: RegistryAccess, layer: bytes
) -> None:
    evil.add_blob(layer)
    reference = evil.add_manifest(manifest_of(describe_blob(layer, LAYER_TYPE)))
    with pytest.raises(SeclatchError) as caught:
        pull_profile(parse_reference(reference), access, ANY)
    assert str(caught.value).isprintable() and caught.value.status == 1


def test_the_title_of_a_layer_is_no_path(
    evil: HostileRegistry, seclatch: Seclatch, tmp_path: Path
) -> None:
    digest = evil.add_blob(LAYER)
    title = {"org.opencontainers.image.title": "../../../../tmp/escaped"}
    reference = evil.add_manifest(manifest_of(Descriptor(LAYER_TYPE, digest, len(LAYER), title)))
    output = tmp_path / "out" / "web.json"
    output.parent.mkdir()
    done = seclatch("pull", reference, "--plain-http", "--allow-unsigned", "-o", output)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in output.parent.iterdir()] == ["web.json"]
    assert not Path("/tmp/escaped").exists()


@pytest.mark.parametrize(
    "location",
    ["http://192.0.2.1/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "//192.0.2.1/x"],
)
def test_a_redirect_to_elsewhere_without_tls(
    evil: HostileRegistry, access: RegistryAccess, location: str
) -> None:
    reference = honest(evil)
    evil.behaviours["blobs"] = lambda handler: reply(handler, 307, Location=location)
    assert "not HTTPS" in pull(reference, access)


@pytest.mark.parametrize("url", ["http://[::1", "https://[", "https://a:b/", "https://a:99999/"])
def test_a_url_that_is_none(evil: HostileRegistry, access: RegistryAccess, url: str) -> None:
    reference = honest(evil)
    evil.behaviours["blobs"] = lambda handler: reply(handler, 307, Location=url)
    assert "is no URL" in pull(reference, access)
    evil.behaviours["manifests"] = lambda handler: reply(
        handler, 401, WWW_Authenticate=f'Bearer realm="{url}"'
    )
    assert "is no URL" in pull(reference, access)
    evil.behaviours = {"uploads": lambda handler: reply(handler, 202, Location=url)}
    with pytest.raises(SeclatchError, match="is no URL"):
        push_profile(ProfileLayer(LAYER), parse_reference(f"{evil.host}/evil/web:1"), access)


@pytest.mark.parametrize("challenge", ["", "Bearer", "Bearer =", "Bearer realm", "Bearer ,", "X"])
def test_a_challenge_that_is_none(
    evil: HostileRegistry, access: RegistryAccess, challenge: str
) -> None:
    reference = honest(evil)
    evil.behaviours["manifests"] = lambda handler: reply(handler, 401, WWW_Authenticate=challenge)
    assert pull(reference, access).isprintable()


def test_redirects_end(evil: HostileRegistry, access: RegistryAccess) -> None:
    reference = honest(evil)
    evil.behaviours["blobs"] = lambda handler: reply(handler, 307, Location=f"{handler.path}x")
    assert "redirects" in pull(reference, access)
    assert len(evil.requests) < 10


def test_a_redirect_gets_no_credentials(evil: HostileRegistry, access: RegistryAccess) -> None:
    """To a storage service, say; it is followed, and the digest is verified as ever."""

    def require_password(handler: Handler) -> None:
        if handler.headers.get("Authorization"):
            reply(handler, 307, Location=f"http://{other.host}/v2/evil/web/{wanted}")
        else:
            reply(handler, 401, WWW_Authenticate="Basic realm=x")

    with serve_hostile() as other:
        reference = honest(evil)
        wanted = f"blobs/{other.add_blob(LAYER)}"
        evil.behaviours["blobs"] = require_password
        assert pull_profile(parse_reference(reference), access, ANY).data == LAYER
        assert [authorization for _, _, authorization in other.requests] == [""]


@pytest.mark.parametrize("realm", ["http://192.0.2.1/token", "ftp://x/", "", "http://a@127.0.0.1/"])
def test_a_token_service_without_tls_gets_no_credentials(
    evil: HostileRegistry, access: RegistryAccess, realm: str
) -> None:
    reference = honest(evil)
    evil.behaviours["manifests"] = lambda handler: reply(
        handler, 401, WWW_Authenticate=f'Bearer realm="{realm}",service="x"'
    )
    assert "not HTTPS" in pull(reference, access)
    assert {authorization for _, _, authorization in evil.requests} == {""}


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "", "ü", 7, "a" * 9000])
def test_a_token_that_is_none(evil: HostileRegistry, access: RegistryAccess, token: object) -> None:
    reference = honest(evil)
    evil.behaviours["manifests"] = lambda handler: reply(
        handler, 401, WWW_Authenticate=f'Bearer realm="http://{evil.host}/token"'
    )
    body = json.dumps({"token": token}).encode()
    evil.behaviours["/token"] = lambda handler: reply(handler, 200, body)
    assert "without a token" in pull(reference, access)


def test_a_token_is_used(evil: HostileRegistry, access: RegistryAccess) -> None:
    def require_token(handler: Handler) -> None:
        if handler.headers.get("Authorization") == "Bearer tok":
            reply(handler, 200, evil.content[handler.path.removeprefix("/v2/evil/web/")])
        else:
            realm = f'Bearer realm="http://{evil.host}/token",service="s",scope="repository:a:pull"'
            reply(handler, 401, WWW_Authenticate=realm)

    reference = honest(evil)
    evil.behaviours["/token"] = lambda handler: reply(handler, 200, b'{"token": "tok"}')
    evil.behaviours["/v2/"] = require_token
    assert pull_profile(parse_reference(reference), access, ANY).data == LAYER
    [(_, path, authorization)] = [one for one in evil.requests if "/token" in one[1]]
    assert "service=s" in path and base64.b64decode(authorization.split()[1]) == b"ann:secret"


def test_an_upload_to_another_host(evil: HostileRegistry, access: RegistryAccess) -> None:
    evil.behaviours["uploads"] = lambda handler: reply(
        handler, 202, Location="http://127.0.0.2:9/upload"
    )
    with pytest.raises(SeclatchError, match="another host"):
        push_profile(ProfileLayer(LAYER), parse_reference(f"{evil.host}/evil/web:1"), access)


def test_an_error_of_the_registry_is_escaped(evil: HostileRegistry, access: RegistryAccess) -> None:
    reference = honest(evil)
    body = json.dumps({"errors": [{"code": "\x1b]0;", "message": "\r\n\u202e" + "x" * 9999}]})
    evil.behaviours["manifests"] = lambda handler: reply(handler, 403, body.encode())
    said = pull(reference, access)
    assert said.isprintable() and len(said) < 500


def test_tags_in_pages(
    evil: HostileRegistry, access: RegistryAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And pages without an end: each names a next one."""

    def page(handler: Handler) -> None:
        last = int(handler.path.partition("last=")[2] or 0)
        tags = [str(last + 1), str(last + 2)]
        reply(handler, 200, json.dumps({"tags": tags}).encode(), Link='<x>; rel="next"')

    monkeypatch.setattr("seclatch.registry.registry_client._MAX_PAGES", 20)
    evil.behaviours["tags/list"] = page
    client = RegistryClient(parse_reference(f"{evil.host}/evil/web"), access)
    with pytest.raises(SeclatchError, match="tags"):
        client.list_tags()
    evil.behaviours["last=6"] = lambda handler: reply(handler, 200, b'{"tags": null}')
    evil.behaviours = dict(reversed(evil.behaviours.items()))
    assert client.list_tags() == list("123456")


def test_a_busy_registry_is_asked_again(evil: HostileRegistry, access: RegistryAccess) -> None:
    answers = [503, 429]

    def busy(handler: Handler) -> None:
        if answers:
            reply(handler, answers.pop())
        else:
            reply(handler, 200, evil.content[handler.path.removeprefix("/v2/evil/web/")])

    reference = honest(evil)
    evil.behaviours["blobs"] = busy
    assert pull_profile(parse_reference(reference), access, ANY).data == LAYER


def drip_from(evil: HostileRegistry) -> Callable[[Handler], None]:
    """Return a behaviour: one byte now and then, which no time-out of a single read would end."""

    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "600")
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(600):
                handler.wfile.write(b" ")
                evil.drip.wait(0.2)

    return drip


def test_a_registry_that_never_finishes(
    evil: HostileRegistry, seclatch: Seclatch, tmp_path: Path
) -> None:
    reference = honest(evil)
    evil.behaviours["manifests"] = drip_from(evil)
    tag = counts_tag(ContainerGroup("x"), "node")
    tags = json.dumps({"tags": [tag]}).encode()
    evil.behaviours["tags/list"] = lambda handler: reply(handler, 200, tags)
    output = tmp_path / "out.json"
    for words in (
        ("pull", reference, "--allow-unsigned"),
        ("record", "pull", "--allow-unsigned", reference.partition("@")[0]),
    ):
        done = seclatch(*words, "--plain-http", "--timeout", "1", "-o", output)
        assert done.returncode == 125 and "within 1 seconds" in done.stderr
        assert not output.exists()


def test_profiles_that_never_come_do_not_keep_others_from_a_node(
    evil: HostileRegistry, seclatch: Seclatch, tmp_path: Path
) -> None:
    listed = tmp_path / "profiles.list"
    lines = []
    for name in ("a", "b", "c"):
        evil.add_blob(LAYER)
        manifest = manifest_of(describe_blob(LAYER, LAYER_TYPE), annotations={"name": name})
        reference = evil.add_manifest(manifest)
        lines.append(f"{name} {reference}\n")
        if name != "c":
            evil.behaviours[reference.partition("@")[2]] = drip_from(evil)
    listed.write_text("".join(lines))
    words = ("node", "--once", "--profiles", listed, "--seccomp-dir", tmp_path, "--allow-unsigned")
    began = time.monotonic()
    done = seclatch(*words, "--plain-http", "--timeout", "1", "--json")
    assert time.monotonic() - began < 30
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert [len(found["failed"]), len(found["added"])] == [2, 1], found
    assert all("within 1 seconds" in problem for problem in found["failed"].values())


def test_counts_without_end_do_not_fill_the_disk(
    evil: HostileRegistry, access: RegistryAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = gzip.compress(b"{}")
    evil.add_blob(layer)
    made = ArtifactManifest(
        describe_blob(CONFIG, COUNTS_TYPE), (describe_blob(layer, COUNTS_TYPE),), COUNTS_TYPE
    )
    tags = [counts_tag(ContainerGroup("x"), f"node{number}") for number in range(40)]
    evil.content |= {f"manifests/{tag}": made.to_bytes() for tag in tags}
    evil.behaviours["tags/list"] = lambda handler: reply(
        handler, 200, json.dumps({"tags": tags}).encode()
    )
    monkeypatch.setattr("seclatch.fleet.pull_counts.MAX_ALL", 10 * len(layer))
    with pytest.raises(SeclatchError, match="bytes of counts"):
        pull_counts(parse_reference(f"{evil.host}/evil/web"), access, WantedCounts())
