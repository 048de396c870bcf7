"""The figures and listings of docs/*.md, produced by running what they show."""
