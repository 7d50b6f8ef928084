"""Use cases. Each is one function, which checks the permission and runs one transaction."""
