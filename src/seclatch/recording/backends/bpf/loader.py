"""Load the recorder's programs (native/bpf) into the kernel, and say what a kernel lacks."""

from __future__ import annotations

import errno
import mmap
import os
import zlib
from pathlib import Path

from seclatch.bpf.compiled_object import CompiledObject, import_object_of_machine
from seclatch.bpf.kernel_types import KernelTypes, find_kernel_types
from seclatch.bpf.object_loader import Loader
from seclatch.errors import SeclatchError
from seclatch.recording.backends.bpf import abi
from seclatch.recording.backends.bpf.abi import CONTROL
from seclatch.system import bpf
from seclatch.system.cache import read_cached_bytes, write_cached
from seclatch.version import __version__

_DOING = "recording with eBPF"

# In the order in which they are attached, which is that in which they run.
_PROCESSES = ("follow_fork", "follow_exec", "follow_exit")
_DETAIL_PROCESSES = ("observe_killed_thread", *_PROCESSES)
_DENIALS = "find_denial_after_check"
_CALLS = "count_call"
# Where the kernel lets BPF trace none of its functions; and in detail mode, which needs exits.
_CALLS_WITH_EXITS = ("find_denial_at_exit", "count_entry")


class Probe:
    """Maps and attached programs. Closing it, or the end of this process, detaches everything."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._links: list[int] = []
        self._register = -1
        self._iterators: dict[str, int] = {}
        self.attached: list[str] = []
        self._control = loader.use(".data").map_memory(size=mmap.PAGESIZE)
        self.globals = loader.use(".bss").map_memory(size=mmap.PAGESIZE)

    def map(self, name: str) -> bpf.Map:
        """Find a map by its name in native/bpf."""
        return self._loader.use(name)

    def find_global(self, name: str) -> int:
        """Where in `globals` a variable is."""
        return self._loader.find_global(name)

    def load(self, name: str) -> int:
        """Load a further program, answer its descriptor. Raises OSError, bpf.VerifierError."""
        return self._loader.load(name)

    def iterator(self, name: str) -> int:
        """Load an iterator at its first use, which takes ten times as long as running it.

        Raises OSError, bpf.VerifierError.
        """
        if name not in self._iterators:
            self._iterators[name] = self._loader.load(name)
        return self._iterators[name]

    def attach(self, name: str) -> None:
        """Load and attach a program. Raises OSError, bpf.VerifierError."""
        program = self._loader.load(name)
        try:
            self._links.append(bpf.attach(program))
            self.attached.append(name)
        finally:
            os.close(program)

    def prepare_registration(self) -> None:
        """Load what `register_self` runs. Raises OSError, bpf.VerifierError."""
        self._register = self._loader.load("register_self")

    def register_self(self) -> int:
        """Follow the calling thread from now on; answer its id in the initial pid namespace."""
        return bpf.run_here(self._register)

    def read_control(self) -> tuple[int, ...]:
        """Read numbers given and lost, in the order of CONTROL."""
        return CONTROL.unpack_from(self._control, self._loader.find_global("control"))

    def read_adopted(self) -> tuple[int, int]:
        """Read how many tasks the iterators have entered, and left to sched_process_fork."""
        _, adopted, forking = self.read_control()[-3:]
        return adopted, forking

    def detach(self) -> None:
        """Stop recording: no task on the host is slowed down any more. The maps stay readable."""
        for fd in self._links:
            os.close(fd)
        self._links = []

    def close(self) -> None:
        """Give everything back."""
        self.detach()
        for program in self._iterators.values():
            os.close(program)
        self._iterators = {}
        if self._register >= 0:
            os.close(self._register)
            self._register = -1
        self._loader.close()


def load(*, closely: bool = False, by_words: bool = False) -> Probe:
    """Load and attach the programs.

    `closely`: also those of detail mode (native/bpf/detail.h).
    `by_words`: what comes into a watched container is followed (native/bpf/containers.h).

    Raises SeclatchError: what is missing, and what to do.
    """
    found = import_object_of_machine("recorder", _DOING)
    types = find_kernel_types(found.questions(), _DOING)
    bpf.raise_locked_memory()
    constants = _constants(watches=by_words)
    if closely:
        from seclatch.recording.backends.bpf import detail_events

        constants |= detail_events.constants()
    try:
        return _attach(found, types, constants, closely=closely)
    except OSError as error:
        raise _explain(error) from error
    except bpf.VerifierError as error:
        last = error.log.strip().splitlines()[-3:]
        raise SeclatchError(
            f"{_DOING}: the kernel refused the {': '.join([str(error), ' / '.join(last)])}",
            remedy=f"recording takes Linux 5.15 or newer with CONFIG_SECCOMP_FILTER=y, this is "
            f"{os.uname().release}; if it is newer, please report this message",
        ) from error


def _attach(
    found: CompiledObject, types: KernelTypes, constants: dict[str, bytes], *, closely: bool
) -> Probe:
    """Load and attach all programs. Raises OSError, bpf.VerifierError."""
    loader = Loader(found, types, constants)
    probe = None
    try:
        probe = Probe(loader)
        probe.prepare_registration()
        for name in _DETAIL_PROCESSES if closely else _PROCESSES:
            probe.attach(name)
        _attach_to_calls(probe, closely=closely)
    except BaseException:
        if probe:
            probe.close()
        loader.close()
        raise
    return probe


def _attach_to_calls(probe: Probe, *, closely: bool) -> None:
    """Attach what counts calls and denials; to sys_exit only where denials take that.

    Raises OSError, bpf.VerifierError.
    """
    if not closely:
        try:
            probe.attach(_DENIALS)
        except (OSError, bpf.VerifierError):
            pass
        else:
            probe.attach(_CALLS)
            return
    for name in _CALLS_WITH_EXITS:
        probe.attach(name)
    if closely:
        probe.attach("observe_exit")


def _constants(*, watches: bool) -> dict[str, bytes]:
    return {"argument_specs": _read_argument_specs(), "watches_containers": bytes([watches])}


def _read_argument_specs() -> bytes:
    """Read them from a cache: the table of system calls takes longer to read than the programs."""
    asked = zlib.crc32(repr(sorted(abi.KEPT_ARGUMENTS.items())).encode())
    key = f"arguments-{__version__}-{os.uname().machine}-{asked:08x}"
    specs = read_cached_bytes(key)
    if specs is None or len(specs) != abi.NUMBERS:
        specs = make_argument_specs()
        write_cached(key, specs)
    return specs


def make_argument_specs() -> bytes:
    """Return one byte by system call number: which of its arguments are kept."""
    from seclatch.model.arch import Arch
    from seclatch.model.syscall import load_syscalls

    specs = bytearray(abi.NUMBERS)
    numbers = load_syscalls(Arch.native()).numbers
    for name, spec in abi.KEPT_ARGUMENTS.items():
        if (number := numbers.get(name)) is not None:
            specs[number] = spec
    return bytes(specs)


def _explain(error: OSError) -> SeclatchError:
    what = f"{_DOING}: bpf(2): {error.strerror}"
    if error.errno == errno.EPERM:
        lockdown = Path("/sys/kernel/security/lockdown")
        if lockdown.exists() and "[confidentiality]" in lockdown.read_text():
            return SeclatchError(
                what,
                remedy="the kernel is locked down (lockdown=confidentiality) and lets nobody "
                "look inside; boot without it to record",
            )
        return SeclatchError(
            what,
            remedy="it takes CAP_BPF and CAP_PERFMON: run it as root on the host, or give "
            "both to this process; in a container, its seccomp profile must allow bpf too",
        )
    if error.errno in (errno.ENOSYS, errno.EINVAL):
        return SeclatchError(
            what,
            remedy="it takes Linux 5.15 or newer with CONFIG_BPF_SYSCALL=y and "
            f"CONFIG_BPF_EVENTS=y; this is {os.uname().release}",
        )
    return SeclatchError(what)
