"""The commands, one file each; `main` loads the one that is asked for."""
