"""Run a filter for a call that is partly unknown.

In: a filter, and the words of the call that are known. Out: a graph of decisions, and its paths
with their conditions. May import `filter.classic_bpf`.
"""
