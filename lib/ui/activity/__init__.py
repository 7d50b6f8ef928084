"""The page Activity: the list, and one operation."""
