"""kubectl-seclatch against a kubectl that is a mock: which commands it runs, and which never.

There is no kube-apiserver in Debian, on PyPI or npm. The mock answers as kubectl 1.32 does, lists
its arguments, and runs what `exec` is given.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from seclatch.data import DATA
from tests.latch.oci import SCRIPTS

PLUGIN = DATA / "kubectl-seclatch"
KUBECTL = r"""#!/bin/sh
for word in "$@"; do printf '%s\0' "$word"; done >> "$LOG"; printf '\n\0' >> "$LOG"
case "$*" in
*"config view"*) printf %s "$CONTEXT_NAMESPACE" ;;
*"get pods"*) printf %s "$AGENTS" ;;
*"get pod "*)
    [ -n "$NODE" ] || { echo 'pods "web" not found' >&2; exit 1; }
    [ "$NODE" = none ] || printf %s "$NODE"
    ;;
*exec*) while [ "$1" != -- ]; do shift; done; shift; exec "$@" ;;
esac
"""
SECLATCH = """#!/bin/sh
[ "$1" != record ] || { printf 'a recording\\n'; exit "${STATUS:-0}"; }
printf '%s\\0' "$@"
exit "${STATUS:-0}"
"""


class Workstation:
    """A machine with kubectl and the plugin, and no seclatch of its own in use."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.folder = folder
        for name, text in (("kubectl", KUBECTL), ("seclatch", SECLATCH)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        self.environment = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "LOG": str(self.log),
            "CONTEXT_NAMESPACE": "",
            "AGENTS": "inspect-x1 inspect-x2",
            "NODE": "node-1",
        }

    def __call__(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        return subprocess.run(
            ["/bin/sh", PLUGIN, *words],
            env=self.environment | more,
            cwd=self.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def calls(self) -> list[list[str]]:
        """Return the arguments of each call of kubectl."""
        return [one.split("\0")[:-1] for one in self.log.read_text().split("\n\0") if one]


@pytest.fixture
def workstation(tmp_path: Path) -> Workstation:
    return Workstation(tmp_path)


def test_it_runs_the_verb_on_the_pod_s_node(workstation: Workstation) -> None:
    done = workstation("ps", "--context=c 1", "-n", "shop", "web/app", "--json", "a b", "$(id)", "")
    assert (done.returncode, done.stderr) == (0, "")
    words = ["ps", "--pod", "shop/web/app", "--json", "a b", "$(id)", ""]
    assert done.stdout.split("\0")[:-1] == words
    assert workstation.calls() == [
        [
            "--context=c 1",
            "get",
            "pod",
            "web",
            "--namespace=shop",
            "--output=jsonpath={.spec.nodeName}",
        ],
        [
            "--context=c 1",
            "get",
            "pods",
            "--namespace=seclatch-system",
            "--selector=app.kubernetes.io/name=seclatch,app.kubernetes.io/component=inspect",
            "--field-selector=spec.nodeName=node-1,status.phase=Running",
            "--output=jsonpath={.items[*].metadata.name}",
        ],
        [
            "--context=c 1",
            "exec",
            "--namespace=seclatch-system",
            "inspect-x1",
            "--container=inspect",
            "--",
            "seclatch",
            *words,
        ],
    ]


def test_the_namespace_is_the_context_s(workstation: Workstation) -> None:
    assert "default/web\0" in workstation("explain", "pod/web").stdout
    assert "prod/web\0" in workstation("explain", "web", CONTEXT_NAMESPACE="prod").stdout
    assert "x/web\0" in workstation("--namespace=x", "explain", "web").stdout


@pytest.mark.parametrize("status", ["0", "1", "3"])
def test_the_status_is_the_verb_s(workstation: Workstation, status: str) -> None:
    assert workstation("watch", "web", STATUS=status).returncode == int(status)


@pytest.mark.parametrize(
    "name",
    ["", "-x", ".", "..", "a b", "a;id", "$(id)", "`id`", "a\nb", "a,b=c", "a/b/c", "a/", "é", "*"],
)
def test_hostile_names_reach_no_kubectl(workstation: Workstation, name: str) -> None:
    for words in (["ps", f"pod/{name}"], ["ps", "-n", f"x{name}/", "web"], ["ps", f"web/{name}/"]):
        done = workstation(*words)
        assert done.returncode == 2, done
        assert workstation.calls() in (
            [],
            [["config", "view", "--minify", "--output=jsonpath={..namespace}"]],
        )
    for more in ({"NODE": f"-{name},x"}, {"AGENTS": f"-{name}"}):
        done = workstation("ps", "web", **more)
        assert done.returncode == 2
        assert not any("exec" in call for call in workstation.calls())


@pytest.mark.parametrize(
    ("words", "more", "message"),
    [
        (["ps"], {}, "ps takes a pod"),
        (["delete", "web"], {}, "no such verb"),
        (["ps", "-n"], {}, "-n takes a value"),
        (["ps", "--all", "web"], {}, "unknown option before the pod"),
        (
            ["ps", "web"],
            {"NODE": ""},
            'pods "web" not found\nseclatch: reading pod default/web failed',
        ),
        (["ps", "web"], {"NODE": "none"}, "is on no node yet"),
        (["ps", "web"], {"AGENTS": ""}, "node node-1 has no agent in namespace seclatch-system"),
        ([], {}, "Usage: kubectl seclatch"),
    ],
)
def test_errors_say_what_to_do(
    workstation: Workstation, words: list[str], more: dict[str, str], message: str
) -> None:
    done = workstation(*words, **more)
    assert (done.returncode in (2, 125), done.stdout) == (True, "")
    assert message in done.stderr
    assert "what to do: " in done.stderr or not words


def test_a_recording_comes_whole_or_not_at_all(workstation: Workstation) -> None:
    done = workstation("record", "-n", "shop", "web/app", "--seconds", "5", "--ready", "listen")
    assert done.returncode == 0, done.stderr
    assert (workstation.folder / "web.recording.json").read_text() == "a recording\n"
    words = ["record", "--quiet", "--pod", "shop/web/app", "--seconds", "5", "--ready", "listen"]
    assert workstation.calls()[-1][-10:] == ["seclatch", *words, "--output", "/dev/stdout"][-10:]
    before = sorted(workstation.folder.iterdir())
    failed = workstation("record", "web", "-o", "a b.json", STATUS="1")
    assert failed.returncode == 1
    assert sorted(workstation.folder.iterdir()) == before
    assert workstation("record", "web", "-o", "a b.json").returncode == 0
    assert (workstation.folder / "a b.json").exists()
    assert workstation("record", "web", "-o", "missing/x").returncode != 0


def test_it_runs_the_real_command(workstation: Workstation) -> None:
    """The agent is this machine: only kubectl is a mock."""
    (workstation.folder / "seclatch").unlink()
    (workstation.folder / "seclatch").symlink_to(SCRIPTS / "seclatch")
    done = workstation("ps", "nothing", "--json", "--no-engines", "--no-filters")
    assert json.loads(done.stdout)["processes"] == [], done.stderr
