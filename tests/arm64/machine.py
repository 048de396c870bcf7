"""A virtual arm64 machine: QEMU's system emulation, no network, no disk, console on a pipe."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODELS = {
    # with SVE; with QEMU's own fast algorithm for pointer authentication, not the specified one
    "max": "max,pauth-impdef=on",
    # a real model from before SVE, with 32-bit programs
    "cortex-a72": "cortex-a72",
}


@dataclass(frozen=True)
class Machine:
    """The parts to boot; `words` are added to the kernel's command line.

    `counts_instructions`: the guest's clock goes on by 2 ns for each instruction, and at once where
    it only waits. So it does not depend on how busy this machine is.
    """

    model: str
    kernel: Path
    initramfs: Path
    memory: int = 2048
    words: tuple[str, ...] = ()
    counts_instructions: bool = False

    def argv(self) -> list[str]:
        """Return QEMU's command line."""
        append = ["console=ttyAMA0", "panic=-1", "loglevel=4", *self.words]
        return [
            "qemu-system-aarch64",
            "-M",
            "virt",
            "-cpu",
            MODELS[self.model],
            "-accel",
            "tcg,tb-size=512",
            *(["-icount", "shift=1,sleep=off"] if self.counts_instructions else []),
            "-smp",
            "1",
            "-m",
            str(self.memory),
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            "stdio",
            "-no-reboot",
            "-nic",
            "none",
            "-kernel",
            str(self.kernel),
            "-initrd",
            str(self.initramfs),
            "-append",
            " ".join(append),
        ]

    def boot(self, seconds: int) -> Iterator[str]:
        """Boot, and yield the console's lines until the machine is off; kill it after `seconds`."""
        command = ["timeout", "-k", "5", str(seconds), *self.argv()]
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout
            for line in process.stdout:
                yield line.rstrip()
        if process.returncode == 124:
            yield f"@@ STOPPED after {seconds} s"
