"""Rules on the annotations by which pods ask for a running profile (`seclatch.running=NAME`).

The names are those of files on the nodes, and a root process reads the annotations: so a namespace
needs permission, gets its own profiles, and a misspelt key is refused before the pod exists.
"""

from __future__ import annotations

from collections.abc import Iterator

RUNNING_LABEL = "seclatch.io/running"
EXEC_LABEL = "seclatch.io/exec"
_KEYS = ("running", "ready", "unready", "exec", "limit")
_KNOWN = f"^seclatch[.]({'|'.join(_KEYS)})([.].+)?$"
_NOTES, _FORMER = "object.metadata.annotations", "oldObject.metadata.annotations"
_RECORD = "k == 'seclatch.record' || k.startsWith('seclatch.record.')"
_NAME = "[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"

RUNNING_CHANGED = (
    f"request.operation == 'CREATE' || (has({_NOTES}) && {_NOTES}.exists(k, "
    f"k.startsWith('seclatch.') && !(has({_FORMER}) && k in {_FORMER} && "
    f"{_FORMER}[k] == {_NOTES}[k])))"
)
"""Annotations can be changed later, and a pod whose sandbox is made anew has the new ones."""


def list_running_rules() -> Iterator[dict[str, str]]:
    """Yield the rules: known keys, permission, own profiles, permission for exec sessions."""
    yield {
        "expression": _each("k.startsWith('seclatch.')", f"{_RECORD} || k.matches('{_KNOWN}')"),
        "message": f"unknown annotation: known are seclatch.record and seclatch.({'|'.join(_KEYS)})"
        ", each also with a container's name behind it",
    }
    yield {
        "expression": _each(f"k.matches('{_KNOWN}')", _has_label(RUNNING_LABEL, "allowed")),
        "message": f"only pods of namespaces with {RUNNING_LABEL}=allowed may ask for a running "
        "profile",
    }
    yield {
        "expression": _each(
            _is_key("running"),
            f"{_NOTES}[k].matches('^{_NAME}') || "
            f"{_NOTES}[k].matches('^' + request.namespace + '[.]{_NAME}')",
        ),
        "message": "a running profile NAMESPACE.NAME is for that namespace alone",
    }
    for key, usual, other in (("unready", "keep", "stop"), ("exec", "running", "boot")):
        yield {
            "expression": _each(_is_key(key), f"{_NOTES}[k] in ['{usual}', '{other}']"),
            "message": f"seclatch.{key} is {usual} or {other}",
        }
    yield {
        "expression": _each(
            f"({_is_key('exec')}) && {_NOTES}[k] == 'boot'", _has_label(EXEC_LABEL, "boot")
        ),
        "message": f"only namespaces with {EXEC_LABEL}=boot may keep the running profile from exec "
        "sessions (seclatch.exec=boot)",
    }


def _is_key(name: str) -> str:
    return f"k == 'seclatch.{name}' || k.startsWith('seclatch.{name}.')"


def _each(chosen: str, rule: str) -> str:
    """Return an expression that requires the rule of each chosen annotation."""
    return f"!has({_NOTES}) || {_NOTES}.all(k, !({chosen}) || {rule})"


def _has_label(label: str, value: str) -> str:
    labels = "namespaceObject.metadata.labels"
    return f"(has({labels}) && '{label}' in {labels} && {labels}['{label}'] == '{value}')"
