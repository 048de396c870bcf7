"""Paths that programs give to bindtextdomain(3), and an argument that lies on the stack.

Found by scans of programs that are built here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan.built import calls

HEAD = """
#include <libintl.h>
#include <stdlib.h>
#include <string.h>
extern int strcmp(const char *, const char *);
static __attribute__((noinline)) void bind(const char *where, int n) {
  if (n) bindtextdomain("one", where);
}
"""
MAIN = 'int main(int n, char **v) {{ {body} return dgettext("one", "x") != 0; }}'

ABSOLUTE = {
    "a constant": ('bindtextdomain("one", "/a");', ""),
    "one of two": ('bindtextdomain("one", n > 1 ? "/a" : "/b");', ""),
    "by a function": ('bind("/a", n); bind("/b", n);', ""),
    "none": ('bindtextdomain("one", 0);', ""),
    "the end of a longer one": ('bindtextdomain("one", "none/a" + 4);', ""),
}
OTHER = {
    "a name": ('bindtextdomain("one", "a");', ""),
    "nothing": ('bindtextdomain("one", "");', ""),
    "one of two": ('bindtextdomain("one", n > 1 ? "/a" : "b");', ""),
    "by a function": ('bind("/a", n); bind("b/c", n);', ""),
    "the environment": ('bindtextdomain("one", getenv("HOME"));', ""),
    "an argument": ('bindtextdomain("one", v[1]);', ""),
    "what may change": ('where[0] = n; bindtextdomain("one", where);', 'char where[] = "/a";'),
    "a variable": ('if (n > 1) where = v[1]; bindtextdomain("one", where);', 'char *where = "/a";'),
    "a part": ('bindtextdomain("one", "/a" + n);', ""),
    "a pointer to it": (
        '(n > 1 ? bindtextdomain : textdomain_of)("one", v[1]);',
        "char *textdomain_of(const char *a, const char *b) { return 0; }",
    ),
    "on the stack": ('char w[9]; strcpy(w, v[0]); bindtextdomain("one", w);', ""),
}
LINKED = {"no-pie": ["-no-pie", "-fno-pie"], "no-plt": ["-fno-plt"]}


def has_directory(
    case: tuple[str, str], flags: list[str | Path], cache: SummaryCache, folder: Path
) -> bool:
    body, outside = case
    source = HEAD + outside + MAIN.format(body=body)
    return "getcwd" in calls(source, flags, cache, folder)


@pytest.mark.parametrize("case", ABSOLUTE)
def test_absolute_paths(case: str, cache: SummaryCache, tmp_path: Path) -> None:
    assert not has_directory(ABSOLUTE[case], [], cache, tmp_path)


@pytest.mark.parametrize("case", OTHER)
def test_paths_that_may_be_relative(case: str, cache: SummaryCache, tmp_path: Path) -> None:
    assert has_directory(OTHER[case], [], cache, tmp_path)


@pytest.mark.parametrize("linked", LINKED)
def test_other_ways_of_linking(linked: str, cache: SummaryCache, tmp_path: Path) -> None:
    for case in ("one of two", "by a function"):
        assert not has_directory(ABSOLUTE[case], [*LINKED[linked]], cache, tmp_path)
        assert has_directory(OTHER[case], [*LINKED[linked]], cache, tmp_path)


@pytest.mark.parametrize("flags", [[], ["-fno-plt"]])
def test_an_argument_on_the_stack(
    flags: list[str | Path], cache: SummaryCache, tmp_path: Path
) -> None:
    """The seventh is the host, of which libaudit looks up the address: other words are not."""
    source = """
    int audit_log_acct_message(int, int, char *, char *, char *, int, char *, char *, char *, int);
    int main(void) {{ return audit_log_acct_message(-1, 0, 0, "", "", 0, {}, "", 1); }}"""
    for host, expected in (('0, "x"', False), ('"x", 0', True)):
        found = calls(source.format(host), [*flags, "-l:libaudit.so.1"], cache, tmp_path)
        assert ("bind" in found) is expected
