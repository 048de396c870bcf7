"""Which step of an image's build has failed, and which container of the builder's that was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seclatch.diagnose.evidence.build_step import add_failed_step, find_named_step
from seclatch.diagnose.evidence.container_bundles import describe_bundle
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.recording.attribution.attribution import drop_unrelated
from seclatch.recording.trace.assign_stages import assign_stages
from tests.unit.diagnose.runs import Run
from tests.unit.recording.traces import INSIDE

STEP = 'ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: '


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (STEP + "exit code: 1", ("/bin/sh -c false", 1)),
        (STEP + "failed to create shim", ("/bin/sh -c false", None)),
        (
            r'#6 ERROR: process "/bin/sh -c echo \"a\\b\" &&\tx\n" did not complete successfully: '
            "exit code: 137",
            ('/bin/sh -c echo "a\\b" &&\tx\n', 137),
        ),
        ("The command '/bin/sh -c a 'b'' returned a non-zero code: 2", ("/bin/sh -c a 'b'", 2)),
        ("ERROR: failed to read dockerfile", None),
    ],
)
def test_what_the_client_names(line: str, named: tuple[str, int | None] | None) -> None:
    run = Run("docker", "build", ".")
    client = run.exec(run.root, "docker", "build", ".")
    run.tells(client, line)
    assert find_named_step(run.evidence()) == named


def build(*command: str, user: int = 0) -> tuple[RunEvidence, Run]:
    """Return a build that failed with status 1, beside steps of its builder with 0, 1, 2 and 1."""
    run = Run(*command)
    daemon = run.found("dockerd", user=user)
    client = run.exec(run.root, *command)
    bundles = {}
    for status, words in ((0, "false"), (1, "false"), (2, "false"), (1, "true")):
        runtime = run.exec(run.fork(daemon), "runc", "run", f"step{status}{words}")
        init = run.load(run.fork(runtime, facts=INSIDE))
        run.ends(run.exec(init, "/bin/sh", "-c", words, facts=INSIDE), status)
        bundles[runtime] = describe_bundle(
            {"process": {"args": ["/bin/sh", "-c", words]}}, "config.json"
        )
    run.tells(client, STEP + "exit code: 1")
    run.ends(client, 1)
    trace = drop_unrelated(run.trace)
    evidence = replace(run.evidence(), trace=trace, staging=assign_stages(trace))
    evidence.bundles.found.update(bundles)
    return evidence, run


def test_the_step_of_that_command_and_status() -> None:
    evidence, run = build("docker", "build", ".")
    assert evidence.staging.sessions == []
    found = add_failed_step(evidence, run.trace)
    [session] = found.staging.sessions
    assert run.trace.segments[session.runtime].argv[-1] == "step1false"


@pytest.mark.parametrize(("verb", "user"), [("push", 0), ("build", 4321)])
def test_other_commands_and_other_users_daemons_have_none(verb: str, user: int) -> None:
    evidence, run = build("docker", verb, ".", user=user)
    assert add_failed_step(evidence, run.trace) is evidence
