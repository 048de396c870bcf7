"""A virtual x86-64 machine: QEMU's system emulation, the host's files read-only, no network."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.kernels import Kernel

MAIN = Path(__file__).parent / "guest/main.sh"


@dataclass(frozen=True)
class Machine:
    """The parts to boot; `words` extend the kernel's command line, `extra` lies over the root."""

    name: str
    kernel: Kernel
    extra: Path
    words: tuple[str, ...] = ()
    memory: int = 3072

    def argv(self) -> list[str]:
        """Return QEMU's command line."""
        append = ["console=ttyS0", "panic=-1", "loglevel=3", "rdinit=/init"]
        append += [f"seclatch.main={MAIN}", *self.words]
        share = "security_model=none,readonly=on,multidevs=remap"
        return [
            "qemu-system-x86_64",
            "-M",
            "q35",
            "-cpu",
            "max",
            "-accel",
            "tcg,thread=multi,tb-size=512",
            "-smp",
            "2",
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
            "-virtfs",
            f"local,path=/,mount_tag=host,{share}",
            "-virtfs",
            f"local,path={self.extra},mount_tag=extra,{share}",
            "-kernel",
            str(self.kernel.image),
            "-initrd",
            str(self.kernel.initramfs),
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
