"""A library's imports for one feature are held back only if it uses them in a single place."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan.built import calls

LIBRARY = """
#include <sys/shm.h>
int wait_seeded(void) { return shmget(1, 2, 0); }
#ifdef TWICE
int other(int n) { return shmget(n, 2, 0) + n; }
#else
int other(int n) { return n; }
#endif
"""
PROGRAM = "int other(int), wait_seeded(void); int main(int n) { return other(n) + wait_seeded(); }"

LINKED = {
    "lazy": ["-Wl,-z,lazy"],
    "now": ["-Wl,-z,now"],
    "marked": ["-Wl,-z,ibtplt", "-fcf-protection"],
    "no-plt": ["-fno-plt"],
    "optimised for size": ["-Os", "-fno-plt"],
}


# By an address that shares its word with a stub; by a function as short as a stub.
ODD = {
    "address": "int (*volatile p)(key_t, size_t, int) = shmget; return p(n, 2, 0) + n;",
    "short": "return shmget(n, 2, 0) + n;",
}
SMALL = "static __attribute__((noinline)) int small(void) { return shmget(1, 2, 0); }\n"


@pytest.mark.parametrize("flags", [["-Wl,-z,lazy"], ["-Wl,-z,now"], ["-fno-plt", "-s"]])
@pytest.mark.parametrize("odd", ODD)
def test_a_second_place_of_an_odd_kind(
    odd: str, flags: list[str], cache: SummaryCache, tmp_path: Path
) -> None:
    source = LIBRARY.replace("return n;", ODD[odd])
    if odd == "short":
        source = source.replace("return shmget(1", "return small() + 0 * (1").replace(
            "int wait", SMALL + "int wait", 1
        )
    (tmp_path / "l.c").write_text(source)
    library = tmp_path / "libcrypto.so.3"
    words = ["gcc", "-w", "-O1", "-shared", "-fPIC", "-Wl,-soname,libcrypto.so.3", *flags]
    subprocess.run([*words, "-o", library, tmp_path / "l.c"], check=True, timeout=60)
    assert "shmget" in calls(PROGRAM, [library, f"-Wl,-rpath,{tmp_path}"], cache, tmp_path)


@pytest.mark.parametrize("linked", LINKED)
@pytest.mark.parametrize("twice", [False, True])
def test_a_second_place_is_another_feature(
    linked: str, twice: bool, cache: SummaryCache, tmp_path: Path
) -> None:
    """Build a library with OpenSSL's name."""
    (tmp_path / "l.c").write_text(LIBRARY)
    library = tmp_path / "libcrypto.so.3"
    words = ["gcc", "-w", "-O1", "-shared", "-fPIC", "-Wl,-soname,libcrypto.so.3", *LINKED[linked]]
    words += ["-DTWICE"] if twice else []
    subprocess.run([*words, "-o", library, tmp_path / "l.c"], check=True, timeout=60)
    found = calls(PROGRAM, [library, f"-Wl,-rpath,{tmp_path}"], cache, tmp_path)
    assert ("shmget" in found) == twice


@pytest.mark.parametrize("name", ["BIO_sendmmsg", "BIO_meth_get_sendmmsg"])
def test_every_call_of_many_datagrams_lifts_the_rule(
    name: str, cache: SummaryCache, tmp_path: Path
) -> None:
    source = f"void *{name}(void *, ...), *BIO_s_datagram(void);"
    source += f"int main(void) {{ return {name}(BIO_s_datagram()) != 0; }}"
    assert "sendmmsg" in calls(source, ["-l:libcrypto.so.3"], cache, tmp_path)
    source = "void *BIO_s_datagram(void); int main(void) { return BIO_s_datagram() != 0; }"
    assert "sendmmsg" not in calls(source, ["-l:libcrypto.so.3"], cache, tmp_path)
