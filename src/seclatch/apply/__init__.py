"""A profile for a further program, without privileges: in a container, on the host, from Python."""
