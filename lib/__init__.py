"""Token Desk: the life of API tokens, in bulk."""
