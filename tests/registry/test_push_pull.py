"""Profiles at a real registry: pushed, pulled, and read by skopeo, cosign, oras and Podman."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from seclatch.fleet.pull_profile import PullPolicy, pull_profile
from seclatch.fleet.push_profile import ProfileLayer, push_profile
from seclatch.profile.artifact.profile_artifact import MEDIA_TYPE
from seclatch.registry.cosign_signature import load_private_key
from seclatch.registry.reference import parse_reference
from seclatch.registry.registry_client import RegistryClient
from seclatch.registry.registry_http import RegistryAccess
from tests.registry.conftest import ALLOWED, KeyPair, Seclatch, make_profile, read_valid
from tests.registry.docker_registry import DockerRegistry, start_registry

PLAIN = RegistryAccess(plain_http=True)
IMAGE = f"docker.io/library/nginx@sha256:{'a' * 64}"


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def push(seclatch: Seclatch, *words: object) -> str:
    done = seclatch("push", *words, "--plain-http")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_pushed_profile_comes_back(
    seclatch: Seclatch, registry: DockerRegistry, keys: KeyPair, profile: Path, tmp_path: Path
) -> None:
    pinned = push(
        seclatch, profile, f"{registry.host}/a/web:1", "--sign", keys.private, "--image", IMAGE
    )
    output = tmp_path / "pulled.json"
    done = seclatch(
        *("pull", pinned, "--plain-http", "--key", keys.public, "--image", IMAGE, "--json"),
        *("--baseline", "docker-default", "-o", output),
    )
    assert done.returncode == 0, done.stderr
    said = read_valid(done.stdout, "pulled-profile-1")
    assert (said["reference"], said["image"], said["signed"]) == (pinned, IMAGE, True)
    assert json.loads(output.read_text())["syscalls"][0]["names"] == ALLOWED
    assert seclatch("profile", "diff", profile, output).returncode == 0


def test_the_same_profile_has_the_same_digest(
    seclatch: Seclatch, registry: DockerRegistry, keys: KeyPair, profile: Path
) -> None:
    words = (profile, f"{registry.host}/same/web:1", "--sign", keys.private)
    planned = push(seclatch, *words, "--dry-run")
    assert [push(seclatch, *words), push(seclatch, *words)] == [planned, planned]
    again = seclatch("push", *words, "--plain-http", "--json")
    assert read_valid(again.stdout, "pushed-profile-1")["signature"] == "there"


def test_a_dry_run_uploads_nothing(
    seclatch: Seclatch, registry: DockerRegistry, profile: Path, tmp_path: Path
) -> None:
    pinned = push(seclatch, profile, f"{registry.host}/dry/web:1", "--dry-run")
    output = tmp_path / "out.json"
    done = seclatch("pull", pinned, "--plain-http", "--allow-unsigned", "-o", output)
    assert done.returncode == 125 and "dry/web has no sha256:" in done.stderr
    assert not output.exists()


def test_the_manifest_is_that_of_kep_6061(
    seclatch: Seclatch, registry: DockerRegistry, profile: Path
) -> None:
    pinned = push(seclatch, profile, f"{registry.host}/kep/web:1")
    done = run("skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{pinned}")
    manifest = json.loads(done.stdout)
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["mediaType"] == manifest["artifactType"] == MEDIA_TYPE
    [layer] = manifest["layers"]
    assert json.loads(registry.blob(layer["digest"]).read_text())["defaultAction"]


def test_oras_pulls_it(
    seclatch: Seclatch, registry: DockerRegistry, profile: Path, tmp_path: Path
) -> None:
    pinned = push(seclatch, profile, f"{registry.host}/oras/web:1")
    done = run("oras", "pull", "--plain-http", pinned, "-o", tmp_path / "oras")
    assert done.returncode == 0, done.stderr
    pulled = (tmp_path / "oras" / "seccomp.json").read_text()
    assert json.loads(pulled)["syscalls"][0]["names"] == ALLOWED


def test_cri_o_s_library_pulls_it(
    seclatch: Seclatch, registry: DockerRegistry, profile: Path, tmp_path: Path
) -> None:
    """`podman artifact` and CRI-O pull with one library; CRI-O takes the first layer's bytes."""
    pinned = push(seclatch, profile, f"{registry.host}/crio/web:1")
    store = tmp_path / "store"
    own = ["--root", store, "--runroot", tmp_path / "run", "--storage-driver", "vfs"]
    pull = ["artifact", "pull", "--tls-verify=false", pinned]
    done = run("podman", *own, *pull)
    assert done.returncode == 0, done.stderr
    blobs = store / "artifacts/blobs"
    index = json.loads((store / "artifacts/index.json").read_text())
    manifest = json.loads(read_blob(blobs, index["manifests"][0]["digest"]))
    document = json.loads(read_blob(blobs, manifest["layers"][0]["digest"]))
    assert document["syscalls"][0]["names"] == ALLOWED


def read_blob(folder: Path, digest: str) -> bytes:
    """Read a blob of an OCI layout."""
    return (folder / digest.replace(":", "/")).read_bytes()


def test_security_profiles_operator_s_library_pulls_it(
    seclatch: Seclatch, registry: DockerRegistry, profile: Path, tmp_path: Path
) -> None:
    """oras and the operator pull with one library; the operator reads profile.yaml by its kind."""
    reference = f"{registry.host}/operator/my_web:1"
    pinned = push(seclatch, profile, reference, "--format", "kubernetes")
    assert push(seclatch, profile, reference, "--format", "kubernetes", "--dry-run") == pinned
    done = run("oras", "pull", "--plain-http", pinned, "-o", tmp_path / "operator")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "operator/profile.yaml"
    document = yaml.safe_load(file.read_text())
    assert (document["kind"], document["metadata"]["name"]) == ("SeccompProfile", "my-web")
    assert seclatch("profile", "diff", profile, file).returncode == 0
    refused = seclatch("pull", pinned, "--plain-http", "--allow-unsigned", "--dry-run")
    assert refused.returncode == 1 and f"not {MEDIA_TYPE}" in refused.stderr


def test_what_a_seccomp_profile_manifest_cannot_say_is_not_pushed(
    seclatch: Seclatch, registry: DockerRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "errno.json"
    file.write_text(json.dumps(make_profile(ALLOWED, defaultErrnoRet=38)))
    reference = f"{registry.host}/operator/errno:1"
    done = seclatch("push", file, reference, "--plain-http", "--format", "kubernetes")
    assert done.returncode == 2 and "defaultErrnoRet 38" in done.stderr
    assert seclatch("push", file, reference, "--plain-http").returncode == 0


def test_what_oras_pushes_is_pulled(
    seclatch: Seclatch, registry: DockerRegistry, profile: Path
) -> None:
    """oras labels the layer with another type, which KEP-6061 permits."""
    reference = f"{registry.host}/oras/pushed:1"
    done = run(
        *("oras", "push", "--plain-http", reference, "--artifact-type", MEDIA_TYPE),
        *("--disable-path-validation", profile),
    )
    assert done.returncode == 0, done.stderr
    pulled = seclatch(
        "pull", reference, "--plain-http", "--allow-tag", "--allow-unsigned", "--dry-run"
    )
    assert pulled.returncode == 0, pulled.stderr


def test_cosign_verifies_the_signature(
    seclatch: Seclatch, registry: DockerRegistry, keys: KeyPair, other_keys: KeyPair, profile: Path
) -> None:
    pinned = push(seclatch, profile, f"{registry.host}/cosign/web:1", "--sign", keys.private)
    offline = ("--private-infrastructure=true", "--insecure-ignore-tlog", "--offline")
    for pair, expected in ((keys, 0), (other_keys, 1)):
        done = run("cosign", "verify", "--key", pair.public, *offline, pinned)
        assert (done.returncode != 0) == bool(expected), done.stderr


def test_a_signature_of_cosign_is_accepted(
    seclatch: Seclatch, registry: DockerRegistry, keys: KeyPair, profile: Path, tmp_path: Path
) -> None:
    """And beside it one of our own: both stay."""
    pinned = push(seclatch, profile, f"{registry.host}/cosigned/web:1")
    secret = {"COSIGN_PASSWORD": "secret"}
    prefix = tmp_path / "cosign"
    made = run("cosign", "generate-key-pair", "--output-key-prefix", prefix, **secret)
    assert made.returncode == 0, made.stderr
    key = f"{prefix}.key"
    signed = run("cosign", "sign", "--key", key, "--tlog-upload=false", "-y", pinned, **secret)
    assert signed.returncode == 0, signed.stderr
    push(seclatch, profile, f"{registry.host}/cosigned/web:1", "--sign", keys.private)
    for public in (f"{prefix}.pub", keys.public):
        done = seclatch("pull", pinned, "--plain-http", "--key", public, "--dry-run")
        assert done.returncode == 0, done.stderr
    refused = seclatch("push", profile, pinned.partition("@")[0], "--plain-http", "--sign", key)
    assert refused.returncode == 2 and "cosign's own encryption" in refused.stderr


@pytest.mark.parametrize("right", [True, False])
def test_skopeo_verifies_it_by_a_policy(
    seclatch: Seclatch,
    registry: DockerRegistry,
    keys: KeyPair,
    other_keys: KeyPair,
    profile: Path,
    tmp_path: Path,
    right: bool,
) -> None:
    """As CRI-O and Podman do: containers-policy.json(5), with its default signedIdentity."""
    pinned = push(seclatch, profile, f"{registry.host}/policy/web:1", "--sign", keys.private)
    public = (keys if right else other_keys).public
    requirement = {"type": "sigstoreSigned", "keyPath": str(public)}
    policy = tmp_path / "policy.json"
    policy.write_text(
        json.dumps(
            {
                "default": [{"type": "reject"}],
                "transports": {"docker": {registry.host: [requirement]}},
            }
        )
    )
    configured = tmp_path / "registries.d"
    configured.mkdir()
    (configured / "default.yaml").write_text(
        f"docker:\n  {registry.host}:\n    use-sigstore-attachments: true\n"
    )
    done = run(
        *("skopeo", "--policy", policy, "--registries.d", configured, "copy"),
        *("--src-tls-verify=false", f"docker://{pinned}", f"dir:{tmp_path / 'copy'}"),
    )
    assert (done.returncode == 0) == right, done.stderr


def test_a_copy_at_another_registry_keeps_its_signature(
    seclatch: Seclatch, registry: DockerRegistry, keys: KeyPair, profile: Path
) -> None:
    pinned = push(seclatch, profile, f"{registry.host}/from/web:1", "--sign", keys.private)
    digest = pinned.partition("@")[2]
    tag = f"{digest.replace(':', '-')}.sig"
    for which in (f"@{digest}", f":{tag}"):
        source, target = (f"docker://{registry.host}/{name}/web{which}" for name in ("from", "to"))
        done = run(
            *("skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"),
            *("--preserve-digests", source, target),
        )
        assert done.returncode == 0, done.stderr
    words = ("pull", f"{registry.host}/to/web@{digest}", "--plain-http", "--dry-run")
    refused = seclatch(*words, "--key", keys.public)
    assert refused.returncode == 1 and "another repository" in refused.stderr
    done = seclatch(*words, "--key", keys.public, "--identity", f"{registry.host}/from/web")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--allow-unsigned"], "not pinned by digest"),
        (["--allow-tag"], "no key to verify"),
        (["--allow-tag", "--key", "OURS"], "it is not signed"),
        (["--allow-tag", "--allow-unsigned", "--image", IMAGE], "for no image in particular"),
        (["--allow-tag", "--allow-unsigned", "--baseline", "NARROW"], "allows more than"),
    ],
)
def test_what_is_refused(
    seclatch: Seclatch,
    registry: DockerRegistry,
    keys: KeyPair,
    profile: Path,
    tmp_path: Path,
    words: list[str],
    said: str,
) -> None:
    push(seclatch, profile, f"{registry.host}/refused/web:1")
    narrow = tmp_path / "narrow.json"
    narrow.write_text(json.dumps(make_profile(["read"])))
    named = {"OURS": str(keys.public), "NARROW": str(narrow)}
    output = tmp_path / "out.json"
    output.write_text("before")
    done = seclatch(
        *("pull", f"{registry.host}/refused/web:1", "--plain-http", "-o", output),
        *(named.get(word, word) for word in words),
    )
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert "what to do" in done.stderr or "image" in said
    assert output.read_text() == "before"


def test_another_key_is_refused(
    seclatch: Seclatch, registry: DockerRegistry, keys: KeyPair, other_keys: KeyPair, profile: Path
) -> None:
    pinned = push(seclatch, profile, f"{registry.host}/keys/web", "--sign", other_keys.private)
    done = seclatch("pull", pinned, "--plain-http", "--key", keys.public)
    assert (done.returncode, done.stdout) == (1, "") and "not by this key" in done.stderr


def test_an_encrypted_key(
    seclatch: Seclatch, registry: DockerRegistry, keys: KeyPair, profile: Path, tmp_path: Path
) -> None:
    locked = tmp_path / "locked.pem"
    run("openssl", "pkcs8", "-topk8", "-in", keys.private, "-out", locked, "-passout", "pass:open")
    words = ("push", profile, f"{registry.host}/locked/web", "--plain-http", "--sign", locked)
    refused = seclatch(*words)
    assert refused.returncode == 2 and "SECLATCH_SIGN_PASSWORD" in refused.stderr
    done = seclatch(*words, SECLATCH_SIGN_PASSWORD="open")
    assert done.returncode == 0, done.stderr
    pulled = seclatch(
        "pull", done.stdout.strip(), "--plain-http", "--key", keys.public, "--dry-run"
    )
    assert pulled.returncode == 0, pulled.stderr


@pytest.mark.parametrize("what", ["manifest", "layer", "payload", "signature"])
def test_tampering_at_the_registry_is_seen(
    seclatch: Seclatch,
    registry: DockerRegistry,
    keys: KeyPair,
    tmp_path: Path,
    what: str,
) -> None:
    """Change one file of the registry's storage, as whoever has broken into it could."""
    file = tmp_path / "web.json"
    file.write_text(json.dumps(make_profile([*ALLOWED, "getpid"])))
    name = f"{registry.host}/tampered/{what}"
    pinned = push(seclatch, file, f"{name}:1", "--sign", keys.private)
    digest = pinned.partition("@")[2]
    client = RegistryClient(parse_reference(name), PLAIN)
    tag = f"{digest.replace(':', '-')}.sig"
    signatures, signatures_digest = client.get_manifest(tag)
    layer = json.loads(client.get_manifest(digest)[0])["layers"][0]["digest"]
    blobs = {
        "manifest": (digest, b"seccomp.json", b"seccomp.jsom"),
        "layer": (layer, b"getpid", b"ptrace"),
        "payload": (json.loads(signatures)["layers"][0]["digest"], b"cosign", b"cosigm"),
        "signature": (signatures_digest, b'signature":"ME', b'signature":"MF'),
    }
    blob, before, after = blobs[what]
    path = registry.blob(blob)
    path.write_bytes(path.read_bytes().replace(before, after))
    output = tmp_path / "out.json"
    done = seclatch("pull", pinned, "--plain-http", "--key", keys.public, "-o", output)
    assert done.returncode in (1, 125), done.stderr
    assert not output.exists()
    path.write_bytes(path.read_bytes().replace(after, before))
    again = seclatch("pull", pinned, "--plain-http", "--key", keys.public, "-o", output)
    assert again.returncode == 0, again.stderr


def test_a_hundred_pushers_at_once(registry: DockerRegistry, keys: KeyPair) -> None:
    """Into one repository: each under a tag of its own, signed, and none is lost."""
    key = load_private_key(keys.private, "")
    name = f"{registry.host}/crowd/web"

    def work(number: int) -> tuple[str, bytes]:
        layer = json.dumps(make_profile([*ALLOWED, f"call{number}"])).encode()
        done = push_profile(
            ProfileLayer(layer), parse_reference(f"{name}:node-{number}"), PLAIN, key
        )
        return str(done.reference), layer

    with ThreadPoolExecutor(100) as pool:
        pushed = list(pool.map(work, range(100)))
    tags = RegistryClient(parse_reference(name), PLAIN).list_tags()
    assert [tag for tag in tags if tag.startswith("node-")] == sorted(
        f"node-{number}" for number in range(100)
    )
    for reference, layer in pushed:
        pulled = pull_profile(parse_reference(reference), PLAIN, PullPolicy(key=keys.public))
        assert pulled.data == layer


def test_tls_and_a_password(seclatch: Seclatch, profile: Path, tmp_path: Path) -> None:
    """A registry with a certificate of its own authority, whose credentials skopeo stored."""
    certificate, key = tmp_path / "tls.pem", tmp_path / "tls.key"
    made = run(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        *("-keyout", key, "-out", certificate),
    )
    assert made.returncode == 0, made.stderr
    users = tmp_path / "htpasswd"
    # bcrypt of "open"
    users.write_text("ann:$2b$05$x6ZdpPxFzQ78KDchWVe4Ke1O/iL77N.PoUfo6AHFFqhXJDpJGReG2\n")
    tls = {"certificate": str(certificate), "key": str(key)}
    auth = {"htpasswd": {"realm": "here", "path": str(users)}}
    registry = start_registry(tmp_path / "registry", tls=tls, auth=auth)
    try:
        words = ("push", profile, f"{registry.host}/private/web:1")
        assert "--ca-file" in seclatch(*words).stderr
        refused = seclatch(*words, "--ca-file", certificate)
        assert refused.returncode == 125 and "podman login" in refused.stderr
        auth_file = tmp_path / "auth.json"
        login = run(
            *("skopeo", "login", "--authfile", auth_file, "-u", "ann"),
            *("-p", "open", "--tls-verify=false", registry.host),
        )
        assert login.returncode == 0, login.stderr
        done = seclatch(*words, "--ca-file", certificate, "--auth-file", auth_file)
        assert done.returncode == 0, done.stderr
        pulled = seclatch(
            *("pull", done.stdout.strip(), "--allow-unsigned", "--ca-file", certificate),
            REGISTRY_AUTH_FILE=str(auth_file),
        )
        assert json.loads(pulled.stdout)["syscalls"][0]["names"] == ALLOWED
    finally:
        registry.stop()


def test_plain_http_is_for_loopback(seclatch: Seclatch, profile: Path) -> None:
    done = seclatch("push", profile, "registry.invalid/web:1", "--plain-http")
    assert done.returncode == 2 and "--plain-http-to registry.invalid" in done.stderr
