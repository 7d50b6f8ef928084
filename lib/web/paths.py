"""The server's addresses that more than one module names. A folder ends in a slash."""

# Streamlit's own: a test compares them with those that the application has.
STREAM = "/_stcore/stream"  # the WebSocket on which a page lives
HEALTH = "/_stcore/health"
HOST_CONFIG = "/_stcore/host-config"
UPLOADS = "/_stcore/upload_file/"
MEDIA = "/media/"
LOGIN = "/auth/login"
LOGOUT = "/auth/logout"
CALLBACK = "/oauth2callback"  # where the identity provider sends people back to

# Ours.
API = "/api/v1/"
HEALTHZ = "/healthz"
READYZ = "/readyz"
