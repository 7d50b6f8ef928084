"""The page Token coverage."""
