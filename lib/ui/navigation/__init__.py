"""The registry of pages, the menu, links, and the scope: organization and service in the URL."""
