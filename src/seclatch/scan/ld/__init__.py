"""Find the libraries that the dynamic linker loads: ld.so(8), gconv, NSS, plugins.

In: summaries and a root directory. Out: the linked program. May import `scan.summary`,
`scan.image`, `scan.analysis` and `scan.elf`.
"""
