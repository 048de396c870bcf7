"""Find the container of a process, with its name and image, from trusted sources.

In: control groups, shims, engines' sockets and state. Out: containers. May import `system`.
"""
