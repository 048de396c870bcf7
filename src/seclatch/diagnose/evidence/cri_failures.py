"""Read from the log of containerd, CRI-O or the kubelet why a pod's container was not created.

Of such a container nothing else is left on the node: it has no configuration, and its runtime was
never called. containerd names the sandbox by its id, which it chose itself, so that the messages of
another pod are not taken for this one's. Quoted values are escaped as by Go's strconv.Quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import datetime

from seclatch.model.pod import PodSelector, is_pod_name

_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_MOST_CHARACTERS = 1 << 16

# containerd up to 2.1 prints Go's form of a message, later ones that of protocol buffers.
_NAME = r'(?:Name:|name:\s*")([^,"}]*)'
_NAMESPACE = r'(?:Namespace:|namespace:\s*")([^,"}]*)'
_CREATE = re.compile(rf'CreateContainer within sandbox "([^"]+)" for .*?{_NAME}.* failed')
_SANDBOX = re.compile(rf"RunPodSandbox for .*?{_NAME}.*?{_NAMESPACE}.* failed")
_KUBELET = re.compile(r'failed to "(\w+)" for "([^"]*)" with (\w+): ("(?:[^"\\]|\\.)*")')
_KUBELET_MARK = '"Error syncing pod'


@dataclass(frozen=True, slots=True)
class CreateFailure:
    """What did not come about: `container` is empty if the pod's sandbox did not.

    `source` is the program that logged `message`; `time` is containerd's, "" where there is none.
    """

    container: str
    message: str
    source: str
    time: str = ""

    def is_after(self, created: str) -> bool:
        """Return whether it failed after something was created (RFC 3339); False if unknown."""
        try:
            return datetime.fromisoformat(self.time) > datetime.fromisoformat(created)
        except (ValueError, TypeError):
            return False


def find_failures(
    lines: Iterable[str], selector: PodSelector, sandboxes: Set[str]
) -> dict[str, CreateFailure]:
    """Return the last failure for each container of the pod by its name; the sandbox's by ""."""
    found: dict[str, CreateFailure] = {}
    for line in lines:
        if "failed" not in line:
            continue
        for failure in _read_line(line[:_MOST_CHARACTERS], selector, sandboxes):
            known = found.pop(failure.container, None)
            # The kubelet repeats containerd's message, and says less of where it is from.
            quoted = known is not None and known.message and known.message in failure.message
            found[failure.container] = known if known and quoted else failure
    return {
        name: failure
        for name, failure in found.items()
        if not name or selector.container in ("", name)
    }


def _read_line(line: str, selector: PodSelector, sandboxes: Set[str]) -> Iterator[CreateFailure]:
    fields = {name: unquote(value) for name, value in _FIELD.findall(line)}
    if fields.get("level") == "error":
        yield from _read_containerd(fields, selector, sandboxes)
    elif _KUBELET_MARK in line and fields.get("pod") == f"{selector.namespace}/{selector.pod}":
        for what, name, reason, message in _KUBELET.findall(fields.get("err", "")):
            if what == "StartContainer" and reason.startswith("CreateContainer"):
                yield _make(name, f"{reason}: {unquote(message)}", "the kubelet")
            elif what == "CreatePodSandbox":
                yield _make("", f"{reason}: {unquote(message)}", "the kubelet")


def _read_containerd(
    fields: dict[str, str], selector: PodSelector, sandboxes: Set[str]
) -> Iterator[CreateFailure]:
    text, error = fields.get("msg", ""), fields.get("error", "")
    if match := _CREATE.match(text):
        if match[1] in sandboxes:
            yield _make(match[2], error, "containerd", fields.get("time", ""))
        return
    match = _SANDBOX.match(text)
    if match and (match[2], match[1]) == (selector.namespace, selector.pod):
        yield _make("", error, "containerd", fields.get("time", ""))


def _make(name: str, message: str, source: str, time: str = "") -> CreateFailure:
    return CreateFailure(name if is_pod_name(name) else "", message.strip(), source, time)


def unquote(text: str) -> str:
    """Return what Go's strconv.Quote quoted; other text as it is."""
    if len(text) < 2 or not (text[0] == text[-1] == '"'):
        return text
    return _ESCAPE.sub(lambda match: _read_escape(match[1]), text[1:-1])


def _read_escape(word: str) -> str:
    if len(word) == 1:
        return _CONTROLS.get(word, word)
    number = int(word[1:], 16)
    return chr(number) if number < 0x110000 else "\ufffd"
