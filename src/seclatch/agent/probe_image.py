"""The image of a probe container, as an archive that every engine imports."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

from seclatch.agent.probe_program import make_probe_program, name_image_architecture

IMAGE = "seclatch.io/probe:1"
PROGRAM = "/probe"


def make_probe_archive(machine: str) -> bytes:
    """Return the image for a machine (uname(2)), in the format of `docker save`."""
    layer = _pack({PROGRAM.lstrip("/"): make_probe_program(machine)}, 0o555)
    digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    configuration = {
        "architecture": name_image_architecture(machine),
        "os": "linux",
        "config": {"Cmd": [PROGRAM]},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    files = {
        "layer.tar": layer,
        "config.json": json.dumps(configuration).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    return _pack(files, 0o644)


def _pack(files: dict[str, bytes], mode: int) -> bytes:
    """Return a tar archive that is the same each time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
