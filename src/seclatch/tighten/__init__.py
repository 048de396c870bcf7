"""Put a further filter on processes that run already.

In: a container or process and a profile. Out: what was bound, for each process. The static program
seclatch-tighten (native/tighten) does it; here it is prepared, checked and described. May import
`process`, `recording` and what compiles and queries filters.
"""
