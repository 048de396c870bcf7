"""Write profiles in the formats that others read, and say what a format cannot carry."""
