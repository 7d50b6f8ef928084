"""The page Organizations, and parts of an organization's pages."""
