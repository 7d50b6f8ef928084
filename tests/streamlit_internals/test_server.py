"""What the server does at its start: whether it opens a browser, and what it refuses."""

import os
import subprocess
import sys

import pytest
from streamlit import config

from lib.settings import ROOT, UnsafeSettingsError, refuse_base_path
from lib.streamlit_internals import server

STARTED = """
import sys
from streamlit import config
flags = {"server.headless": sys.argv[1] == "true"} if sys.argv[1] else {}
config.get_config_options(force_reparse=True, options_from_flags=flags)
import app
print("headless:", config.get_option("server.headless"))
"""


class TestHeadless:
    """Whether a browser is opened where the server runs."""

    @pytest.mark.parametrize(
        ("sign_in", "flag", "headless"),
        [
            ("", "", False),
            ("", "true", True),
            ("oidc", "", True),
            ("proxy", "", True),
            ("proxy", "false", False),
            ("oidc", "true", True),
        ],
    )
    def test_not_where_people_sign_in(self, tmp_path, sign_in, flag, headless):
        """Unless whoever starts it asks for one; in demo mode as Streamlit's own settings say."""
        settings = {
            "TOKEN_DESK_DATA": str(tmp_path),
            "TOKEN_DESK_SIGN_IN": sign_in,
            "TOKEN_DESK_PEPPERS": f"1:{'ab' * 32}",
        }
        provider = {
            "CLIENT_ID": "desk",
            "CLIENT_SECRET": "secret",
            "METADATA_URL": "https://id.example.com/.well-known/openid-configuration",
            "REDIRECT_URI": "https://desk.example.com/oauth2callback",
            "COOKIE_SECRET": "a cookie secret of 32 characters",
        }
        if sign_in == "oidc":
            settings |= {f"TOKEN_DESK_OIDC_{name}": value for name, value in provider.items()}
        run = subprocess.run(
            [sys.executable, "-c", STARTED, flag],
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            timeout=60,
            check=True,
            text=True,
        )
        assert run.stdout.splitlines()[-1] == f"headless: {headless}"


class TestBasePath:
    """Every comparison of paths would miss below a base path."""

    @pytest.mark.parametrize("base", ["desk", "/desk/", "a/b"])
    def test_a_start_below_a_path_is_refused(self, monkeypatch, base):
        """With a sentence that names the setting and a way out."""
        monkeypatch.setattr(config, "get_option", {"server.baseUrlPath": base}.get)
        with pytest.raises(
            UnsafeSettingsError, match=f"cannot be served below /{base.strip('/')},"
        ):
            refuse_base_path(server.base_path())

    @pytest.mark.parametrize("base", ["", "/"])
    def test_without_one_it_starts(self, monkeypatch, base):
        """The root is no base path."""
        monkeypatch.setattr(config, "get_option", {"server.baseUrlPath": base}.get)
        refuse_base_path(server.base_path())


class TestStaticFiles:
    """What of Streamlit's own answers."""

    def test_its_page_is_not_among_them(self):
        """It would answer 200 at an address that nobody declared."""
        files = server.static_files()
        assert "/favicon.png" in files
        assert any(file.startswith("/static/js/") for file in files)
        assert "/index.html" not in files
