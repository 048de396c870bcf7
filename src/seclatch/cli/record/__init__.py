"""`seclatch record`: a command of its own, and the commands about recordings below it."""

from seclatch.cli.record.start import command as command
