"""Parts that several pages use. They know no page."""
