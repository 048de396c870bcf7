"""Cause: a host name could not be resolved."""

from __future__ import annotations

import re

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom

# glibc's and musl's getaddrinfo, curl, Go, node, Java.
_WORDS = re.compile(
    r"name or service not known|name resolution|could not resolve|resolve host|no such host|"
    r"name does not resolve|ENOTFOUND|EAI_AGAIN|UnknownHostException|unknown host|"
    r"nodename nor servname|getaddrinfo",
    re.IGNORECASE,
)


def find_unresolved_name(run: DiagnosedRun) -> FoundCause | None:
    """Find a message about a name, which no call gives: the C library asks a server."""
    symptom = find_symptom(run)
    if symptom is None or symptom.sure or not _WORDS.search(symptom.text):
        return None
    return FoundCause(
        False,
        "name-resolution",
        f"a host name could not be resolved: {symptom.text}",
        symptom.stage.value,
        ["no denied call has to do with that; is there a network, and a server in resolv.conf?"],
    )
