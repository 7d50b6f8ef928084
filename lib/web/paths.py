"""Paths of the server that more than one module uses. A path prefix ends in a slash."""

from lib.settings import CALLBACK

__all__ = ["CALLBACK"]  # where the identity provider sends people back to; Streamlit's as well

# Paths of Streamlit. A test compares them with the routes of the application.
STREAM = "/_stcore/stream"  # the WebSocket of a page
HEALTH = "/_stcore/health"
HOST_CONFIG = "/_stcore/host-config"
UPLOADS = "/_stcore/upload_file/"
MEDIA = "/media/"
LOGIN = "/auth/login"
LOGOUT = "/auth/logout"

# Our own paths.
API = "/api/v1/"
HEALTHZ = "/healthz"
READYZ = "/readyz"
