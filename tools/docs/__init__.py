"""The figures and listings of docs/*.md, produced by running the shown commands."""
