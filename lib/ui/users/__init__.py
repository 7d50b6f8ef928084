"""The page Users with its search, and the page of one user."""
