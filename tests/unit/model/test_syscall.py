"""The system call tables: numbers, names, multiplexed calls."""

from seclatch.model.arch import X32_BIT, Arch
from seclatch.model.syscall import list_syscall_names, load_syscalls


def test_known_numbers() -> None:
    assert load_syscalls(Arch.X86_64).numbers["openat"] == 257
    assert load_syscalls(Arch.AARCH64).numbers["openat"] == 56
    assert load_syscalls(Arch.X86).numbers["openat"] == 295
    assert load_syscalls(Arch.X32).numbers["execve"] == X32_BIT | 520
    assert load_syscalls(Arch.MIPS).numbers["exit"] == 4001
    assert load_syscalls(Arch.ARM).numbers["set_tls"] == 0xF0005


def test_names_and_numbers_are_one_to_one() -> None:
    for arch in Arch:
        calls = load_syscalls(arch)
        assert len(calls.names) == len(calls.numbers) > 300
        assert all(calls.names[number] == name for name, number in calls.numbers.items())


def test_socketcall_multiplexes_socket() -> None:
    x86 = load_syscalls(Arch.X86)
    assert x86.multiplexed["socket"] == ("socketcall", 1)
    assert x86.numbers["socket"] == 359
    assert "accept" not in x86.numbers
    assert x86.has("accept")
    assert not load_syscalls(Arch.X86_64).multiplexed


def test_aarch64_lacks_the_old_calls() -> None:
    calls = load_syscalls(Arch.AARCH64)
    assert not any(calls.has(name) for name in ("open", "stat", "fork", "dup2"))
    assert calls.get("open") is None
    assert str(calls.at(9999)) == "#9999"
    assert "open" in list_syscall_names()
