"""Build the package of Debian 12: `python -m tools.deb12 [--output DIR]`.

Debian 12 lacks the build backend and some libraries, or has them in too old a version. So this
package has an environment of its own, /usr/lib/seclatch: the wheel with its cross-built programs,
and the libraries of debian/bookworm-vendor.txt, which are pinned by their hashes. The suite's own
packages do for the others. Needs the `wheels` dependency group and dpkg-deb. The same commit gives
the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools import wheels
from tools.deb import SOURCE, read_version

HOME = "usr/lib/seclatch"
SITE = f"{HOME}/lib/python3.11/site-packages"
VENDOR = "debian/bookworm-vendor.txt"
FROM_SUITE = "python3-click, python3-jinja2, python3-pygments, python3-yaml"
SUFFIX = "~deb12u1"
"""It sorts before Debian 13's package of the same version, so that an upgrade replaces it."""

CONFIGURATION = """home = /usr/bin
include-system-site-packages = true
version = 3.11
"""
LAUNCHER = f"""#!/{HOME}/bin/python3
import sys

from seclatch.cli.entry import main

sys.exit(main())
"""
CONTROL = """Package: seclatch
Version: {version}
Architecture: amd64
Maintainer: {maintainer}
Installed-Size: {size}
Depends: libc6 (>= 2.17), python3 (>= 3.11), python3 (<< 3.12), {suite}
Recommends: busybox-static, runc | crun
Suggests: docker.io, libseccomp2, podman, python3-numpy, python3-prometheus-client
Section: admin
Priority: optional
Homepage: https://github.com/seclatch/seclatch
Description: {description}
"""
POSTINST = f"""#!/bin/sh
set -e
if [ "$1" = configure ]; then
	py3compile -p seclatch /{HOME} -V 3.11
fi
"""
PRERM = """#!/bin/sh
set -e
# The unit runs this package's program. What `install` placed for engines goes on without it.
if [ "$1" = remove ] && [ -e /etc/systemd/system/seclatch-watch.service ]; then
	seclatch uninstall watch || true
fi
py3clean -p seclatch
"""
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/seclatch",
    "zsh": "usr/share/zsh/vendor-completions/_seclatch",
    "fish": "usr/share/fish/vendor_completions.d/seclatch.fish",
}


def build(output: Path, source: Path = SOURCE) -> Path:
    """Build the package into `output`; return its path."""
    version = f"{read_version(source)}{SUFFIX}"
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or wheels.committed(source))
    with tempfile.TemporaryDirectory(prefix="seclatch-deb12-") as folder:
        tree = Path(folder) / "tree"
        unpack_wheel(wheels.build("x86_64", Path(folder), source), tree)
        unpack_vendored(source, Path(folder), tree)
        add_environment(tree)
        add_documentation(source, tree)
        add_control(source, tree, version)
        set_modes(tree, epoch)
        output.mkdir(parents=True, exist_ok=True)
        target = output / f"seclatch_{version}_amd64.deb"
        command = ["/usr/bin/dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, target]
        environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}
        subprocess.run(command, env=environment, stdout=sys.stderr, check=True)
        return target


def unpack_wheel(wheel: Path, tree: Path) -> None:
    """Put a wheel's parts where an installer would: modules, programs, manual pages."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            first, _, rest = name.partition("/")
            if rest.startswith("scripts/") and first.endswith(".data"):
                target = tree / HOME / "bin" / rest.removeprefix("scripts/")
            elif rest.startswith("data/share/man/") and first.endswith(".data"):
                target = tree / "usr" / f"{rest.removeprefix('data/')}.gz"
            else:
                target = tree / SITE / name
            if name.endswith("/"):
                continue
            content = archive.read(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            packed = target.suffix == ".gz"
            target.write_bytes(gzip.compress(content, 9, mtime=0) if packed else content)


def unpack_vendored(source: Path, folder: Path, tree: Path) -> None:
    """Fetch the pinned libraries, and unpack them beside the package."""
    options = "--no-deps --only-binary :all: --require-hashes --python-version 311 --quiet"
    platforms = "--platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check"),
            *options.split(),
            *platforms.split(),
            *("--implementation", "cp", "--abi", "cp311", "--abi", "none"),
            *("-d", folder / "vendored", "-r", source / VENDOR),
        ],
        stdout=sys.stderr,
        check=True,
    )
    for wheel in sorted((folder / "vendored").glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tree / SITE)
    for library in (tree / SITE).rglob("*.so"):
        subprocess.run(["/usr/bin/strip", "--strip-unneeded", library], check=True)


def add_environment(tree: Path) -> None:
    """Make it a virtual environment of Debian's Python, with its programs on PATH."""
    programs = tree / HOME / "bin"
    (tree / HOME / "pyvenv.cfg").write_text(CONFIGURATION)
    (programs / "python3").symlink_to("/usr/bin/python3.11")
    (programs / "seclatch").write_text(LAUNCHER)
    (tree / "usr/bin").mkdir()
    for program in sorted(programs.glob("seclatch*")):
        (tree / "usr/bin" / program.name).symlink_to(f"../lib/seclatch/bin/{program.name}")


def add_documentation(source: Path, tree: Path) -> None:
    """Add copyright, changelog and what shells complete."""
    folder = tree / "usr/share/doc/seclatch"
    folder.mkdir(parents=True)
    (folder / "copyright").write_text((source / "debian/copyright").read_text() + VENDORED_TERMS)
    text = (source / "debian/changelog").read_bytes()
    (folder / "changelog.gz").write_bytes(gzip.compress(text, 9, mtime=0))
    overrides = tree / "usr/share/lintian/overrides/seclatch"
    overrides.parent.mkdir(parents=True)
    overrides.write_text((source / "debian/bookworm.lintian-overrides").read_text())
    for shell, path in COMPLETIONS.items():
        command = [sys.executable, "-m", "seclatch", "completion", shell]
        environment = os.environ | {"PYTHONPATH": str(source / "src")}
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
        (tree / path).parent.mkdir(parents=True)
        (tree / path).write_bytes(done.stdout)


VENDORED_TERMS = """
Files: usr/lib/seclatch/lib/python3.11/site-packages/markdown_it/*
Copyright: 2020 ExecutableBookProject
License: Expat

Files: usr/lib/seclatch/lib/python3.11/site-packages/mdurl/*
Copyright: 2015 Vitaly Puzrin, Alex Kocharin
 2021 Taneli Hukkinen
License: Expat

Files: usr/lib/seclatch/lib/python3.11/site-packages/msgspec/*
Copyright: 2021 Jim Crist-Harif
License: BSD-3-clause
 The text is in usr/lib/seclatch/lib/python3.11/site-packages/msgspec-*.dist-info.

Files: usr/lib/seclatch/lib/python3.11/site-packages/rich/*
Copyright: 2020 Will McGugan
License: Expat

Files: usr/lib/seclatch/lib/python3.11/site-packages/tomlkit/*
Copyright: 2018 Sébastien Eustace
License: Expat

License: Expat
 The texts are in the libraries' folders usr/lib/seclatch/lib/python3.11/site-packages/*.dist-info.
"""


def add_control(source: Path, tree: Path, version: str) -> None:
    """Write the package's control files; the description is Debian 13's."""
    text = (source / "debian/control").read_text()
    maintainer = text.partition("Maintainer: ")[2].partition("\n")[0]
    size = sum(path.lstat().st_size for path in tree.rglob("*")) // 1024
    folder = tree / "DEBIAN"
    folder.mkdir()
    (folder / "control").write_text(
        CONTROL.format(
            version=version,
            maintainer=maintainer,
            size=size,
            suite=FROM_SUITE,
            description=text.partition("Description: ")[2].rstrip("\n"),
        )
    )
    for name, script in {"postinst": POSTINST, "prerm": PRERM}.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)


def set_modes(tree: Path, epoch: int) -> None:
    """Give files the modes of a package, and the time of the commit."""
    executed = {tree / HOME / "bin", tree / "DEBIAN"}
    for path in sorted(tree.rglob("*"), reverse=True):
        if not path.is_symlink():
            program = path.parent in executed and path.name != "control"
            path.chmod(0o755 if path.is_dir() or program else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    tree.chmod(0o755)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=SOURCE / "dist")
    print(build(parser.parse_args().output.resolve()))
