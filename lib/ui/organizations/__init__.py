"""Organizations, and the pages of one of them."""
