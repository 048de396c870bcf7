"""Results on their way out: text made safe for a terminal, files that are whole or absent.

In: text and bytes of any origin. Out: printable text, a written file. Imports nothing of seclatch.
"""
