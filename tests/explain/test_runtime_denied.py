"""A filter that denies calls of the runtime: found, named, and remedied by one start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.explain.conftest import Explain
from tests.latch.oci import Bundle, Runtime, case

pytestmark = pytest.mark.root
Make = Callable[..., Bundle]

# A call that each runtime cannot do without, with no_new_privs off and on.
NEEDED = {
    ("runc", False): "capset",
    ("runc", True): "openat",
    ("crun", False): "setresuid",
    ("crun", True): "execve",
}


def without(call: str, action: str = "SCMP_ACT_ERRNO") -> dict[str, Any]:
    """Make a profile of all calls but one, so that the denied call is known."""
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [call], "action": action}]}


@pytest.mark.parametrize("action", ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"])
def test_the_denied_call_is_found(
    explain: Explain, bundle: Make, plain: Runtime, no_new_privileges: bool, action: str
) -> None:
    call = NEEDED[plain.name, no_new_privileges]
    profile = without(call, action)
    made = bundle(["/bin/true"], seccomp=profile, no_new_privileges=no_new_privileges)
    done = explain(plain.argv("run", "--bundle", made.path, made.id))
    assert done.done.returncode != 0
    assert (done.seccomp, done.cause) == (True, "runtime-denied")
    assert ("filtered-init", call) in done.fatal()
    [denial] = [one for one in done.document["denials"] if one["fatal"]]
    expected = ("EPERM", "") if action == "SCMP_ACT_ERRNO" else ("", "SIGSYS")
    assert (denial["errno"], denial["signal"]) == expected
    assert denial["rule"]["by"] == "rule"
    assert denial["rule"]["index"] == 0
    assert denial["action"].startswith(action)
    assert done.needs() == {call}


def test_all_needed_calls_at_once(
    explain: Explain, bundle: Make, plain: Runtime, no_new_privileges: bool
) -> None:
    """With the remedy's rules the plain runtime starts, without a second attempt."""
    profile = case("exit-only")
    made = bundle(["/bin/exit42"], seccomp=profile, no_new_privileges=no_new_privileges)
    words = plain.argv("run", "--bundle", made.path, made.id)
    done = explain(words)
    assert (done.seccomp, done.cause) == (True, "runtime-denied")
    assert done.document["needs"]["found"] == "trial"
    profile["syscalls"] += done.remedy("rules")["rules"]
    made.write()
    again = explain(plain.argv("run", "--bundle", made.path, made.id))
    assert (again.done.returncode, again.cause) == (42, "program-failed")


def test_no_new_privs_needs_fewer(explain: Explain, bundle: Make, plain: Runtime) -> None:
    profile = case("exit-only")
    made = bundle(["/bin/exit42"], seccomp=profile)
    done = explain(plain.argv("run", "--bundle", made.path, made.id))
    fewer = done.remedy("no-new-privs")["rules"]
    assert set(fewer[0]["names"]) < done.needs()
    profile["syscalls"] += fewer
    made.config["process"]["noNewPrivileges"] = True
    made.write()
    assert plain("run", "--bundle", made.path, made.id).returncode == 42


def test_under_the_latch_nothing_is_denied_to_the_runtime(
    explain: Explain, bundle: Make, latched: Runtime
) -> None:
    made = bundle(["/bin/exit0"], seccomp=case("exit-only"))
    done = explain(latched.argv("run", "--bundle", made.path, made.id))
    assert (done.done.returncode, done.seccomp, done.cause) == (0, False, "none")
    assert done.document["denials"] == []


@pytest.mark.parametrize(
    ("name", "quiet", "denied", "words"),
    [
        ("runc", False, "close", "close log pipe"),
        ("runc", True, "write", "cannot start an already running container"),
        ("crun", False, "write", "read from the init process"),
        ("crun", True, "execve", None),  # it prints nothing at all
    ],
)
def test_the_runtime_s_message(
    explain: Explain, bundle: Make, name: str, quiet: bool, denied: str, words: str | None
) -> None:
    profile = without(denied)
    # With write denied, crun could not print its last message.
    profile["syscalls"][0]["names"] += ["write"] if words is None else []
    made = bundle(["/bin/true"], seccomp=profile, no_new_privileges=quiet)
    done = explain(Runtime(name, latched=False).argv("run", "--bundle", made.path, made.id))
    assert done.done.returncode != 0
    assert (done.seccomp, done.cause) == (True, "runtime-denied"), done.document
    assert done.fatal() == [("filtered-init", denied)]
    message = " ".join(one["text"] for one in done.document["messages"])
    assert words in message if words else not message and not done.done.stderr
