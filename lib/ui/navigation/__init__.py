"""The registry of pages, the menu, and the scope: organization and service in the URL."""
