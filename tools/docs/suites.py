"""The listing of pytest.md: a suite run with the plugin."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

from tests.engines.image import IMAGE
from tools.docs.lab import Lab
from tools.docs.listings import fenced, maker
from tools.docs.pages import ROOT

OPTIONS = ["-q", "--seclatch-record=recordings", "--seclatch-profile=web=strict.json"]
QUIET = {"PYTEST_ADDOPTS": "-W ignore::pytest.PytestAssertRewriteWarning"}
"""An editable installation is imported before pytest can rewrite its plugin."""


@maker("suite")
def show_suite(lab: Lab) -> str:
    """Show what pytest prints of examples/test_suite.py under a profile that is too strict."""
    folder = lab.scratch("suite")
    shutil.copy(ROOT / "examples/test_suite.py", folder)
    client = shlex.join(lab.docker.host.argv("docker", "-H", lab.docker.address))
    lab.docker.must("tag", IMAGE, "web")
    (folder / "docker").write_text(f'#!/bin/sh\nexec {client} "$@"\n')
    (folder / "docker").chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *OPTIONS, "test_suite.py"],
        cwd=folder,
        env=os.environ | {"ENGINE": str(folder / "docker"), "IMAGE": "web", **QUIET},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    command = shlex.join(["pytest", *OPTIONS, "test_suite.py"])
    return fenced(f"$ {command}\n{done.stdout}$ echo $?\n{done.returncode}")
