"""All settings, typed and read from the environment.

An unsafe value stops the start with a sentence that says how to fix it.
"""

from lib.settings.addresses import CALLBACK, safe_address, safe_metadata_url, safe_redirect_uri
from lib.settings.model import ROOT, Settings
from lib.settings.peppers import PepperFileError
from lib.settings.reading import UnsafeSettingsError, read_settings, refuse_base_path
from lib.settings.sign_in import safe_cookie_secret
from lib.settings.texts import readable, trimmed

__all__ = [
    "CALLBACK",
    "ROOT",
    "PepperFileError",
    "Settings",
    "UnsafeSettingsError",
    "read_settings",
    "readable",
    "refuse_base_path",
    "safe_address",
    "safe_cookie_secret",
    "safe_metadata_url",
    "safe_redirect_uri",
    "trimmed",
]
