"""seclatch: seccomp profiles that bind the image's program and not the container runtime.

>>> import seclatch
>>> seclatch.run(["make", "test"], "strict.json")  # doctest: +SKIP

The functions are those of `seclatch.api`, imported when first asked for: the command line imports
this package at each start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seclatch.errors import InputError, SeclatchError
from seclatch.version import __version__

if TYPE_CHECKING:
    from seclatch.api import (
        Explained,
        Recorded,
        compile,
        explain,
        load,
        loads,
        record,
        run,
        start,
    )
    from seclatch.apply.loadable import Loadable
    from seclatch.model.profile.profile import Profile

__all__ = [
    "Explained",
    "InputError",
    "Loadable",
    "Profile",
    "Recorded",
    "SeclatchError",
    "__version__",
    "compile",
    "explain",
    "load",
    "loads",
    "record",
    "run",
    "start",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'seclatch' has no attribute {name!r}")
    from seclatch import api

    return getattr(api, name)
