"""The page Activity: the list, one operation, one person."""
