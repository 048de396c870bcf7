"""libseccomp's C interface, as far as compiling a profile needs it (seccomp.h, 2.5 and later)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from seclatch.errors import SeclatchError
from seclatch.model.action import Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg

NR_ERROR = -1
"""__NR_SCMP_ERROR: libseccomp does not know the name."""

_ACT_BADARCH, _CTL_OPTIMIZE = 2, 8
_CANNOT_COMPILE = "install libseccomp (Debian: libseccomp2), the library that the runtimes use too"


class _Version(ctypes.Structure):
    _fields_ = [(part, ctypes.c_uint) for part in ("major", "minor", "micro")]


class _Compare(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libseccomp.so.2", use_errno=False)
    except OSError as error:
        doing = f"loading libseccomp.so.2: {error}"
        raise SeclatchError(doing, remedy=_CANNOT_COMPILE) from error
    context, u32, name = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p
    library.seccomp_init.restype = context
    library.seccomp_version.restype = ctypes.POINTER(_Version)
    arguments = {
        "seccomp_init": [u32],
        "seccomp_release": [context],
        "seccomp_arch_add": [context, u32],
        "seccomp_arch_remove": [context, u32],
        "seccomp_syscall_resolve_name": [name],
        "seccomp_syscall_resolve_name_arch": [u32, name],
        "seccomp_rule_add_array": [context, u32, ctypes.c_int, ctypes.c_uint, context],
        "seccomp_rule_add_exact_array": [context, u32, ctypes.c_int, ctypes.c_uint, context],
        "seccomp_attr_set": [context, ctypes.c_int, u32],
        "seccomp_export_bpf": [context, ctypes.c_int],
    }
    for function, types in arguments.items():
        getattr(library, function).argtypes = types
    return library


def read_version() -> tuple[int, int, int]:
    """Return the library's version; each version may generate different instructions."""
    found = _library().seccomp_version().contents
    return found.major, found.minor, found.micro


def format_version() -> str:
    """Return the version as text: `2.5.4`."""
    return ".".join(map(str, read_version()))


def resolve_syscall(name: str, arch: Arch | None = None) -> int:
    """Return the number of `name` on `arch` (None: this machine), negative where it has none.

    NR_ERROR if no architecture has it; else a pseudo number, by which rules reach the other ABIs.
    """
    text = name.encode()
    if arch is None:
        return int(_library().seccomp_syscall_resolve_name(text))
    return int(_library().seccomp_syscall_resolve_name_arch(arch.token, text))


class FilterContext:
    """A filter under construction: `scmp_filter_ctx`."""

    def __init__(self, context: int) -> None:
        self._context = context

    def arch_add(self, arch: Arch) -> int:
        """Add an ABI; return 0 or a negative errno (EEXIST if it was added before)."""
        return int(_library().seccomp_arch_add(self._context, arch.token))

    def arch_remove(self, arch: Arch) -> int:
        """Remove an ABI; return 0 or a negative errno."""
        return int(_library().seccomp_arch_remove(self._context, arch.token))

    def answer_others(self, action: Action) -> int:
        """Set the action for ABIs not in the filter (SCMP_FLTATR_ACT_BADARCH); 0 or -errno."""
        return int(_library().seccomp_attr_set(self._context, _ACT_BADARCH, _token(action)))

    def search_in_a_tree(self) -> int:
        """Look numbers up in a binary tree (SCMP_FLTATR_CTL_OPTIMIZE); return 0 or -errno."""
        return int(_library().seccomp_attr_set(self._context, _CTL_OPTIMIZE, 2))

    def rule_add(
        self, action: Action, number: int, args: Sequence[Arg] = (), *, exact: bool = False
    ) -> int:
        """Add a rule for this machine's call `number`; return 0 or a negative errno.

        libseccomp adds it for every other ABI of the filter by name; with `exact` it fails if that
        takes more than one rule.
        """
        array = (_Compare * max(len(args), 1))()
        for slot, arg in zip(array, args, strict=False):
            slot.arg, slot.op = arg.index, arg.operator.value
            slot.datum_a, slot.datum_b = arg.value, arg.value_two
        library = _library()
        add = library.seccomp_rule_add_exact_array if exact else library.seccomp_rule_add_array
        return int(add(self._context, _token(action), number, len(args), ctypes.addressof(array)))

    def export(self) -> bytes:
        """Return the program, an array of struct sock_filter in the byte order of its ABIs."""
        fd = os.memfd_create("seclatch-filter")
        try:
            status = _library().seccomp_export_bpf(self._context, fd)
            if status < 0:
                raise SeclatchError(f"libseccomp makes no program of it: {os.strerror(-status)}")
            return os.pread(fd, os.fstat(fd).st_size, 0)
        finally:
            os.close(fd)


def _token(action: Action) -> int:
    """Return SCMP_ACT_*: the kernel's value, with data only where libseccomp's macros take some."""
    return action.ret if action.kind in (ActionKind.ERRNO, ActionKind.TRACE) else action.kind.value


@contextmanager
def open_filter_context(default: Action) -> Iterator[FilterContext]:
    """Create an empty filter for this machine's own ABI, and release it at the end."""
    context = _library().seccomp_init(_token(default))
    if not context:
        raise SeclatchError(
            f"libseccomp takes no filter with the default action {default}",
            remedy="an errno must be below 4095; NOTIFY needs libseccomp 2.5",
            status=2,
        )
    try:
        yield FilterContext(context)
    finally:
        _library().seccomp_release(context)
