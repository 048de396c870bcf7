"""Run a program under a profile without privileges: in a container, on the host, from Python."""
