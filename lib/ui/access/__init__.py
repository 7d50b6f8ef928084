"""The page Access: who has which role."""
