"""Django REST framework's TokenAuthentication, served as its documentation has it.

Run by tests/benchmarks/check_http.py with a Python of its own; asked to fill its database first:
`python tests/benchmarks/peer.py TOKENS FILE`, which writes some of the tokens to FILE.
"""

import os
import random
import secrets
import sys
from pathlib import Path

import django
from django.conf import settings

settings.configure(
    SECRET_KEY=secrets.token_hex(),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework.authtoken",
    ],
    MIDDLEWARE=[],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["PEER_DATABASE"],
            "CONN_MAX_AGE": None,
        }
    },
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402 - after the settings
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.authentication import TokenAuthentication  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Verify(APIView):
    """What /api/v1/verify does: 200 for a good token, else 401."""

    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: HttpRequest) -> Response:
        """Answer."""
        return Response(headers={"X-Token-Username": request.user.username})


urlpatterns = [path("", Verify.as_view())]
app = get_asgi_application()


def fill(tokens: int, kept: Path) -> None:
    """Make so many users with a token each."""
    call_command("migrate", verbosity=0)
    keys = [secrets.token_hex(20) for _ in range(tokens)]
    users = (
        (n, f"u{n}", "!", False, False, True, "", "", "", "2026-01-01")
        for n in range(1, tokens + 1)
    )
    rows = ((key, n, "2026-01-01") for n, key in enumerate(keys, 1))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO auth_user (id, username, password, is_superuser, is_staff, is_active,"
            f" first_name, last_name, email, date_joined) VALUES ({', '.join(['%s'] * 10)})",
            list(users),
        )
        cursor.executemany(
            "INSERT INTO authtoken_token (key, user_id, created) VALUES (%s, %s, %s)", list(rows)
        )
    kept.write_text("\n".join(random.sample(keys, min(20_000, tokens))))


if __name__ == "__main__":
    fill(int(sys.argv[1]), Path(sys.argv[2]))
