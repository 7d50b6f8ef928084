"""The page Recipient API Tokens: pick, tick, confirm, download."""
