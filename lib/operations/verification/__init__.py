"""Checking tokens that services ask about, and recording their use."""
