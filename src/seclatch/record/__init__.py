"""Recording: which system calls a command makes, stage by stage, told by the kernel itself.

`seclatch.record(…)` is a function of the Python interface, too, and whoever imports anything from
here puts this package in its place: so the package can be called, and hands on.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any:
        return sys.modules["seclatch"].__getattr__("record")(*args, **options)


sys.modules[__name__].__class__ = _Callable
