"""Import a directory from CSV files: read them, compare them with what is stored, write."""
