"""One request and its answer: forms read with a limit, errors as JSON, addresses behind proxies."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse

LARGEST_FORM = 64 * 1024  # bytes; a token is under 100
_FORM = "application/x-www-form-urlencoded"
_NO_STORE = {"cache-control": "no-store"}


@dataclass
class Problem(Exception):
    """What is wrong with a request, as RFC 6749 section 5.2 says it."""

    status: int
    error: str
    description: str
    headers: Mapping[str, str] | None = None

    def response(self) -> JSONResponse:
        """Return the answer."""
        body = {"error": self.error, "error_description": self.description}
        return answer(body, self.status, self.headers)


def answer(
    body: Any,  # noqa: ANN401 - whatever JSON can say
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a JSON answer that nobody keeps."""
    return JSONResponse(body, status, {**_NO_STORE, **(headers or {})})


def too_many(seconds: int) -> Problem:
    """Return the problem of someone who guesses."""
    return Problem(
        429,
        "too_many_requests",
        "Too many wrong attempts from this address; try again later.",
        {"retry-after": str(seconds)},
    )


async def read_form(request: Request) -> dict[str, str]:
    """Return the form's fields. A body that is too large is refused unread.

    Raises Problem: 415 for another content type, 413 for too large, 400 for what is no form or has
    a field twice (RFC 6749, section 3.1).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise Problem(415, "invalid_request", f"Send the fields as {_FORM}.")
    _refuse_large(request.headers.get("content-length", "0"))
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        _refuse_large(str(len(body)))
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict"
        )
    except (UnicodeDecodeError, ValueError):
        if body:
            raise Problem(400, "invalid_request", "The body is not a form.") from None
        pairs = []
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Problem(400, "invalid_request", "A field is there twice.")
    return fields


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """Return client id and secret of HTTP Basic (RFC 6749, section 2.3.1); None when malformed."""
    headers = request.headers.getlist("authorization")
    scheme, _, encoded = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    client_id, colon, secret = text.partition(":")
    return (unquote_plus(client_id), unquote_plus(secret)) if colon else None


def bearer_token(request: Request, plain_header: str) -> str | None:
    """Return the token of `Authorization: Bearer` (RFC 6750), or of the plain header; else None.

    None as well when there is more than one.
    """
    authorization = request.headers.getlist("authorization")
    plain = request.headers.getlist(plain_header) if plain_header else []
    if len(authorization) + len(plain) != 1:
        return None
    if plain:
        return plain[0].strip()
    scheme, _, token = authorization[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def client_address(request: Request, trusted: Iterable[IPv4Network | IPv6Network]) -> str:
    """Return whose address counts: the connection's, or the forwarded one of a trusted proxy.

    Of several forwarded addresses the last one counts that no trusted proxy has.
    """
    networks = list(trusted)
    address = request.client.host if request.client else ""
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    while forwarded and _within(address, networks):
        last = forwarded.pop().strip()
        if not last:
            break
        address = last
    return address


def _within(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    try:
        known = ip_address(address)
    except ValueError:
        return False
    return any(known in network for network in networks)


def _refuse_large(length: str) -> None:
    if not length.isdecimal() or int(length) > LARGEST_FORM:
        raise Problem(413, "invalid_request", f"The body is larger than {LARGEST_FORM:,} bytes.")
