"""The page My API tokens."""
