"""Undo: its button, its confirmation and its receipt, for the tokens page and for Activity."""
