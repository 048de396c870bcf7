"""A profile as an artifact's layer: OCI runtime-spec JSON, written and read strictly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from seclatch.errors import InputError, SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile
from seclatch.output.printable_text import clip_printable
from seclatch.profile.artifact.artifact_limits import MAX_BYTES, list_violations
from seclatch.profile.artifact.regroup_rules import regroup_rules
from seclatch.profile.export import oci
from seclatch.profile.meaning.diff_profiles import compare_profiles
from seclatch.profile.parse.load_profile import decode_json, parse_document

MEDIA_TYPE = "application/vnd.cncf.seccomp-profile.config.v1+json"
"""Of a seccomp profile's artifact: the type of its config and its artifactType."""

LAYER_TYPE = "application/json"

_MOST = 8
_PROFILE_KEYS = frozenset(
    [
        "defaultAction",
        "defaultErrnoRet",
        "architectures",
        "flags",
        "listenerPath",
        "listenerMetadata",
        "syscalls",
    ]
)
_RULE_KEYS = frozenset(["names", "action", "errnoRet", "args"])
_ARG_KEYS = frozenset(["index", "value", "valueTwo", "op"])


@dataclass(frozen=True, slots=True)
class WrittenArtifact:
    """The layer, and how many rules were written in how many if that had to be changed."""

    layer: bytes
    regrouped: tuple[int, int] | None = None


def write_artifact(profile: Profile, native: Arch, name: str) -> WrittenArtifact:
    """Write a resolved profile as runtimes accept it, regrouped where they would not.

    What is written is read back and compared by meaning on every ABI of the profile. Raises
    SeclatchError naming what no regrouping can change.
    """
    written = profile
    regrouped = None
    if list_violations(profile) or len(_encode(profile)) > MAX_BYTES:
        written = regroup_rules(profile, native)
        regrouped = len(profile.rules), len(written.rules)
    layer = _encode(written)
    problems = list_violations(written)
    if len(layer) > MAX_BYTES:
        problems.append(f"the document has {len(layer)} bytes, more than {MAX_BYTES}")
    if problems:
        raise InputError(
            name,
            "",
            f"container runtimes refuse it from a registry (KEP-6061): {join_problems(problems)}",
            remedy="change these rules, or distribute the profile as a file",
        )
    require_equal(profile, layer, native, name)
    return WrittenArtifact(layer, regrouped)


def _encode(profile: Profile) -> bytes:
    return oci.write(profile).text.encode()


def require_equal(profile: Profile, layer: bytes, native: Arch, name: str) -> None:
    """Read back what was written, and compare it with the profile by meaning."""
    again = parse_document(layer.decode(), name).profile
    found = compare_profiles(profile, again, native)
    if found:
        calls = ", ".join(change.name for change in found.changes[:_MOST])
        raise SeclatchError(
            f"writing {name} for a registry: equality with the original could not be proved for "
            f"{clip_printable(calls, 300) or 'its architectures'}",
            remedy="`seclatch profile check` names rules that libseccomp reads in its own way",
            status=2,
        )


def read_artifact(data: bytes, name: str) -> Profile:
    """Read the layer of a profile's artifact, as strictly as runtimes. Raises InputError."""
    if len(data) > MAX_BYTES:
        raise InputError(name, "", f"larger than {MAX_BYTES} bytes: no profile from a registry")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError(name, f"byte {error.start}", "not UTF-8 text") from error
    unknown = list(_unknown_keys(decode_json(text, name)))
    if unknown:
        raise InputError(
            name, "", f"no keys of the runtime specification: {join_problems(unknown)}"
        )
    profile = parse_document(text, name).profile
    empty = ["the empty profile stands for no seccomp at all"]
    problems = list_violations(profile) if profile.default_action else empty
    if problems:
        raise InputError(name, "", f"runtimes refuse it from a registry: {join_problems(problems)}")
    return profile


def _unknown_keys(document: Any) -> Iterator[str]:
    """Yield keys that are not OCI's: a condition or comment of an engine's own format."""
    if not isinstance(document, dict):
        yield "(the document is no object)"
        return
    yield from (_shown(key) for key in document if key not in _PROFILE_KEYS)
    for rule in _objects(document.get("syscalls")):
        yield from (f"syscalls: {_shown(key)}" for key in rule if key not in _RULE_KEYS)
        for arg in _objects(rule.get("args")):
            yield from (f"args: {_shown(key)}" for key in arg if key not in _ARG_KEYS)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    yield from (
        (each for each in value or () if isinstance(each, dict)) if isinstance(value, list) else ()
    )


def _shown(key: str) -> str:
    return clip_printable(key, 40)


def join_problems(problems: list[str]) -> str:
    """Write the first problems as one text."""
    more = f"; and {len(problems) - _MOST} more" if problems[_MOST:] else ""
    return "; ".join(dict.fromkeys(problems[:_MOST])) + more
