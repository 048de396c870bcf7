"""Recording: which system calls a command makes, stage by stage, told by the kernel itself."""
