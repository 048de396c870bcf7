"""The command line and the Python interface, each call in a process of its own."""
