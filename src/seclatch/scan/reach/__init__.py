"""Follow a linked program from its entry: reachable code, rules in force, system calls.

In: linked modules. Out: system call numbers, each with the chain that leads to it. May import all
of `scan` except its top level.
"""
