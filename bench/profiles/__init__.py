"""Generated profiles under real servers: short training runs, then wide workloads."""
