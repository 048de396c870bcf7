"""Build the wheels: one for each platform, the latch in it cross-built, static and reproducible.

tools/wheels.py [--output DIR] [PLATFORM…]     (needs the `wheels` dependency group)

The compiler is PyPI's ziglang, pinned, which brings musl for all of them; so the same sources give
the same bytes on every machine (docs/decisions/0035-pinned-cross-compiler.md).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent

# Platform (as in wheel names) -> the compiler's name of it, and its tags. A static program needs
# neither glibc nor musl of the machine: both families of distributions are named.
PLATFORMS = {
    "x86_64": ("x86_64-linux-musl", "manylinux_2_17 manylinux2014 musllinux_1_1"),
    "aarch64": ("aarch64-linux-musl", "manylinux_2_17 manylinux2014 musllinux_1_1"),
    "armv7l": ("arm-linux-musleabihf", "manylinux_2_17 manylinux2014 musllinux_1_1"),
    "riscv64": ("riscv64-linux-musl", "manylinux_2_31 musllinux_1_2"),
    "s390x": ("s390x-linux-musl", "manylinux_2_17 manylinux2014 musllinux_1_1"),
    "ppc64le": ("powerpc64le-linux-musl", "manylinux_2_17 manylinux2014 musllinux_1_1"),
}


def build(platform: str, output: Path, source: Path = SOURCE) -> Path:
    """Build one platform's wheel into `output`; return the file's path."""
    target, tags = PLATFORMS[platform]
    environment = {
        **os.environ,
        "SECLATCH_TARGET": target,
        "SECLATCH_ZIG": f"{sys.executable};-m;ziglang",
        "_PYTHON_HOST_PLATFORM": f"linux-{platform}",  # the answer of sysconfig.get_platform()
        "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH") or committed(source),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # cmake and ninja
    }
    for name in ("CC", "CFLAGS", "LDFLAGS"):  # the caller's flags are for its own machine
        environment.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="seclatch-wheel-") as folder:
        settings = {
            "cmake.define.CMAKE_TOOLCHAIN_FILE": source / "native/zig.cmake",
            "build-dir": f"{folder}/build",
        }
        run(
            "pip",
            "wheel",
            "-q",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-build-isolation",
            "--no-cache-dir",
            "-w",
            folder,
            *(f"-C{key}={value}" for key, value in settings.items()),
            source,
            environment=environment,
        )
        (made,) = Path(folder).glob("*.whl")
        every = ".".join(f"{tag}_{platform}" for tag in tags.split())
        run("wheel", "tags", "--platform-tag", every, "--remove", made, environment=environment)
        (tagged,) = Path(folder).glob("*.whl")
        output.mkdir(parents=True, exist_ok=True)
        part = output / f".{tagged.name}.part"
        part.write_bytes(tagged.read_bytes())
        return part.rename(output / tagged.name)


def run(module: str, *words: str | Path, environment: dict[str, str]) -> None:
    """Run a Python program, its standard output to stderr."""
    command = [sys.executable, "-m", module, *words]
    subprocess.run(command, env=environment, stdout=sys.stderr, check=True)


def committed(source: Path) -> str:
    """Return the time of the last commit, so that a wheel does not contain its build time."""
    command = ["git", "-C", source, "log", "-1", "--format=%ct"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "1767225600"  # a source archive has no history


def main() -> None:
    """Build the named wheels, or all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=SOURCE / "dist")
    parser.add_argument("platforms", nargs="*", metavar="PLATFORM", help=", ".join(PLATFORMS))
    options = parser.parse_args()
    unknown = set(options.platforms) - set(PLATFORMS)
    if unknown:
        parser.error(f"no such platform: {', '.join(sorted(unknown))}")
    for platform in options.platforms or PLATFORMS:
        print(build(platform, options.output.resolve()), flush=True)


if __name__ == "__main__":
    main()
