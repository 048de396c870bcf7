"""A log of denials: what `seclatch watch --json` writes, one JSON object a line.

The schema, `seclatch/data/schemas/denial-log-1.json`, is generated from these types.
"""

from __future__ import annotations

import inspect
from typing import Any, Final, Literal

import msgspec

SCHEMA: Final = "seclatch.denial-log/1"

MAX_LINE = 1 << 16
"""Bytes of a line; a longer one was not written by `watch`."""

_CUTS: Final = (4096, 1024, 256, 64)
"""Characters of each text in a line that is too long otherwise, tried in this order."""

_MAX_WORDS: Final = 100

Answer = Literal[
    "errno", "kill-process", "kill-thread", "kill", "trap", "log", "trace", "notify", "unknown"
]
LoggedStage = Literal["runtime", "program", "exec-session"]


class LoggedHost(msgspec.Struct, frozen=True, kw_only=True):
    """The host: its name, a hash of its machine-id(5), and the kernel's boot id."""

    name: str
    id: str
    boot: str


class LoggedContainer(msgspec.Struct, frozen=True, kw_only=True):
    """A container; the rest is "" where it is not known. `namespace` is that of its pod.

    `trusted` is false where only a process that is not trusted names the container: any user can
    start one that is called conmon. Then nothing but its id is logged.
    """

    id: str
    name: str = ""
    image: str = ""
    engine: str = ""
    pod: str = ""
    namespace: str = ""
    trusted: bool = True


class AnsweringFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The filter that denied the call, as far as it is known.

    `fingerprint` is that of `seclatch ps`, "" where the program was not read; `profile` names the
    profile that compiles to it. `by` is `rule` (number `index` of the resolved profile, counting
    from 0), `default`, `architecture`, `newer` (runc's ENOSYS) or `unknown`. `layer` is its place
    among the `layers` filters of the thread, 1 the oldest; 0 where it is not known. `tightened`:
    when `seclatch tighten` put it on (UTC), "" if it did not.
    """

    fingerprint: str = ""
    profile: str = ""
    by: str = "unknown"
    index: int | None = None
    text: str = ""
    layer: int = 0
    layers: int = 0
    tightened: str = ""


class LoggedDenial(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="denial"):
    """A call that seccomp denied (or logged) `count` times from `time` until `until`.

    Times are RFC 3339 in UTC. `stage`: `runtime` (before the exec of the container's program),
    `program`, or `exec-session` (a process that docker exec or a health check brought in). `args`
    are the six raw arguments of the first of these calls, as hexadecimal text because JSON readers
    round numbers above 2^53; null where the source does not have them (audit lines). `arguments`
    are the same in words. `errno` is what the caller got, "" for the other answers and in
    audit lines. `kill` is one of thread and process. `container` is null, and `unit` "", for
    processes in none.
    """

    time: str
    until: str
    count: int
    host: LoggedHost
    container: LoggedContainer | None
    unit: str
    stage: LoggedStage
    pid: int
    tid: int
    uid: int
    comm: str
    exe: str
    arch: str
    syscall: str
    number: int
    args: list[str] | None
    arguments: list[str]
    answer: Answer
    errno: str
    filter: AnsweringFilter
    source: Literal["ebpf", "audit", "ptrace"]
    schema: Literal["seclatch.denial-log/1"] = SCHEMA


class WatchEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="event"):
    """What happened to the watcher itself.

    `begin` and `end` enclose the time in which denials were seen, `alive` (every minute) bounds
    what is lost if `end` is missing. `lost`: `count` denials happened that no line describes.
    `sees` lists the answers that are seen on this kernel, `selection` the options that choose
    processes, `way` is how denials are seen (`watch --way`, `audit` or `kernel-log`). `text` is for
    people.
    """

    event: Literal["begin", "alive", "lost", "end"]
    time: str
    host: LoggedHost
    text: str = ""
    count: int = 0
    sees: list[Answer] = []
    selection: list[str] = []
    way: str = ""
    source: Literal["ebpf", "audit", "ptrace"] = "ebpf"
    seclatch: str = ""
    schema: Literal["seclatch.denial-log/1"] = SCHEMA


LogLine = LoggedDenial | WatchEvent

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[LogLine] = msgspec.json.Decoder(LogLine)


def encode_line(line: LogLine) -> bytes:
    r"""Encode a line with its newline; JSON escapes control characters, `\n` among them.

    It never fails and never exceeds MAX_LINE: lone surrogates (in JSON, `"\ud800"` is valid) become
    `\ud800` as text, and a line that is too long has its texts cut.
    """
    try:
        content = _ENCODER.encode(line)
    except UnicodeEncodeError:
        content = _ENCODER.encode(_clean(msgspec.to_builtins(line), MAX_LINE))
    for most in _CUTS:
        if len(content) < MAX_LINE:
            break
        content = _ENCODER.encode(_clean(msgspec.to_builtins(line), most))
    return content + b"\n"


def _clean(value: Any, most: int) -> Any:
    """Return a value of JSON with texts that UTF-8 can encode, of so many characters at most."""
    if isinstance(value, str):
        text = value[: most + 1].encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= most else f"{text[: most - 3]}..."
    if isinstance(value, list):
        return [_clean(one, most) for one in value[:_MAX_WORDS]]
    if isinstance(value, dict):
        return {key: _clean(one, most) for key, one in value.items()}
    return value


def decode_line(line: bytes) -> LogLine:
    """Decode a line. Raises ValueError: cut off, another format, or a field that is missing."""
    if len(line) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE} bytes")
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def make_schema() -> dict[str, Any]:
    """Generate the schema of a line from the types."""
    schema = msgspec.json.schema(LogLine)
    for definition in schema["$defs"].values():
        definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **schema,
    }
