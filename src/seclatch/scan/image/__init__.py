"""Open an image and read its files: layers, root directory, entry point, scripts.

In: an OCI layout, archive, engine's image or directory; all hostile. Out: files below one root, and
the programs that its command runs. May import `system`.
"""
