"""Show results to people: pages, pictures, text for a terminal.

In: a recording, a scan, an explanation. Out: a page, a picture, lines, documents of `--json`. Here
are these forms; `document` computes what a report shows, `timeline` its drawing, and `tables` has
the tables of other commands. May import `model` and `output`.
"""
