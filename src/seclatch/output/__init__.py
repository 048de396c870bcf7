"""Output: text made safe for a terminal, and files that are written whole or not at all.

In: text and bytes of any origin. Out: printable text, JSON edited in place, a written file. Imports
nothing of seclatch but its errors.
"""
