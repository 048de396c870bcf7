"""Installation into a tree, with the programs that it calls."""
