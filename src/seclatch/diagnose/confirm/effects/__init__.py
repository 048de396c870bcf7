"""Find what another run of a command would change or reach outside of its container.

In: a command line, a container's configuration. Out: reasons for which it is not run again without
being asked. May import `diagnose.confirm.client_command`.
"""
