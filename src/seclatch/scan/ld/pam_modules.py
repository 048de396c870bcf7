"""PAM modules that a program loads, and which of their functions it calls.

libpam loads the modules of a service with pam_start(3), and calls a module's function for a kind of
line in pam.d(5) when the program calls the function of its own that stands for it (pam(3)).

See docs/decisions/0153 (plugins by what is called of them).
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.ld.plugins import FoundPlugins

_STARTS = {"pam_start", "pam_start_confdir"}
"""Every transaction begins with one of them (pam_start(3)), and loads the service's modules."""

_FUNCTIONS = {
    "auth": {"pam_authenticate": "pam_sm_authenticate", "pam_setcred": "pam_sm_setcred"},
    "account": {"pam_acct_mgmt": "pam_sm_acct_mgmt"},
    "session": {
        "pam_open_session": "pam_sm_open_session",
        "pam_close_session": "pam_sm_close_session",
    },
    "password": {"pam_chauthtok": "pam_sm_chauthtok"},
}
"""By the type of a line: the program's function, and what libpam calls of the module for it."""

_LINE = re.compile(r"\s*-?(\w+)\s")
_MODULE = re.compile(r"[\w.-]+\.so\b")
_PLACES = (
    "/usr/lib/x86_64-linux-gnu/security",
    "/usr/lib/aarch64-linux-gnu/security",
    "/usr/lib/security",
    "/lib/security",
    "/usr/lib64/security",
)


def find_pam_plugins(rootfs: Rootfs, asked: set[str]) -> FoundPlugins:
    """Return the PAM modules of a program that imports these names.

    Those in any service's file count: the name of a program's service is unknown.
    """
    if not _STARTS & asked:
        return FoundPlugins()
    called = defaultdict[str, set[str]](set)
    for kind, name in _list_configured_modules(rootfs):
        kinds = _FUNCTIONS.values() if kind not in _FUNCTIONS else (_FUNCTIONS[kind],)
        called[name] |= {
            function for names in kinds for by, function in names.items() if by in asked
        }
    paths = {
        path: frozenset(called[name])
        for place in _PLACES
        for name in sorted(called)
        if rootfs.resolve(path := posixpath.join(place, name)) is not None
    }
    return FoundPlugins(tuple(paths), ("PAM modules by /etc/pam.d",), called=paths)


def _list_configured_modules(rootfs: Rootfs) -> Iterator[tuple[str, str]]:
    """Yield the type of each line, and the modules that it names."""
    for folder in ("/etc/pam.d", "/usr/lib/pam.d"):
        for file in rootfs.names(folder):
            text = rootfs.text(posixpath.join(folder, file)).replace("\\\n", " ")
            for line in text.splitlines():
                kind = _LINE.match(line)
                for name in _MODULE.findall(line.partition("#")[0]):
                    yield (kind[1].lower() if kind else ""), name
