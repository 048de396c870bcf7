"""Live processes: the tree with who is under which filter, and the filters themselves."""
