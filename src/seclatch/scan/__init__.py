"""Find the system calls that the programs of an image could make, in their binaries.

In: an image, root directory or program. Out: a scan (`seclatch.model.scan`). From the file up:
`elf`, `analysis`, `x86` and `a64`, `summary` (one file each), `image`, `ld` (which files belong
together), `reach` (what the program reaches). This level scans a whole root directory.
"""
