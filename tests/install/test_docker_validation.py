"""dockerd validates the new configuration, where its version can."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.engines import docker_daemon
from seclatch.engines.docker import Docker
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError

# The words of Docker 20.10 (Debian 12), and of 26.1 for a value of the wrong type.
UNKNOWN_FLAG = "Status: unknown flag: --validate\nSee 'dockerd --help'., Code: 125"
REFUSED = "unable to configure the Docker daemon: cannot unmarshal string into Go value"


@pytest.mark.parametrize(("words", "refused"), [(UNKNOWN_FLAG, False), (REFUSED, True)])
def test_only_an_answer_about_the_configuration_counts(
    words: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerd = tmp_path / "dockerd"
    dockerd.write_text(f'#!/bin/sh\ncat >&2 <<"END"\n{words}\nEND\nexit 125\n')
    dockerd.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(docker_daemon, "find_daemons", lambda _root: [])
    docker = Docker(HostRoot())
    if refused:
        with pytest.raises(SeclatchError, match="dockerd refuses it: unable"):
            docker.check({docker.config: "{}"})
    else:
        docker.check({docker.config: "{}"})
