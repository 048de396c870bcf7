"""`python -m seclatch`: the same as the command `seclatch`."""

from seclatch.cli.entry import main

main()
