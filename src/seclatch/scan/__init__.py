"""What a program could call: system calls that are reachable in an ELF file and its libraries."""
