"""What people see: text for the terminal, later pages."""
