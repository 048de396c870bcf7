"""`python -m seclatch`: the same as the command `seclatch`."""

from seclatch.cli.main import main

main()
