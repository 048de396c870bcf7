"""Live processes: the tree, the filters that bind each, and which profile they are.

In: /proc, the kernel's filters, engines' metadata. Out: `seclatch.model.process`. Imports
`process.containers` and `process.kernel`, which do not import it.
"""
