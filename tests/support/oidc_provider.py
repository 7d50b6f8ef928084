"""An identity provider whose ID tokens lack claims that it has as userinfo, as many providers do.

Run it as `python -m oidc_provider_mock`. A person's claim `only_as_userinfo` lists such claims.
"""

from typing import Any

from oidc_provider_mock import __main__, _app


class _ThinToken(_app.OpenIDCode):
    """The grant that makes the ID token."""

    def generate_user_info(self, user: Any, scope: str) -> dict[str, object]:
        """Return the claims of the ID token."""
        claims = super().generate_user_info(user, scope)
        thin = {"only_as_userinfo", *user.claims.get("only_as_userinfo", ())}
        return {name: value for name, value in claims.items() if name not in thin}


if __name__ == "__main__":
    _app.OpenIDCode = _ThinToken
    __main__.run()
