"""One request and its answer: forms read with a limit, errors as JSON, addresses behind proxies."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import unquote_plus, unquote_to_bytes

from starlette.requests import Request
from starlette.responses import JSONResponse

LARGEST_FORM = 64 * 1024  # bytes; a token is under 100
UNKNOWN = "unknown"  # an address that is none: a proxy's header says anything
_FORM = "application/x-www-form-urlencoded"
_NO_STORE = {"cache-control": "no-store"}
_PREFIX_OF_A_CLIENT = 64  # bits; whoever has an IPv6 address has as many as they like below it


@dataclass
class ProblemError(Exception):
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


async def read_token(request: Request) -> str:
    """Return the form's field `token`; every other field is ignored, hints included.

    A field without a value counts as missing (RFC 6749, section 3.1). A body that is too large is
    refused unread. Raises Problem: 415 for another content type, 413 for too large, 400 for no
    token, or two.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise ProblemError(415, "invalid_request", f"Send the fields as {_FORM}.")
    pairs = [pair.partition(b"=") for pair in (await _read_body(request)).split(b"&")]
    values = [value for name, _, value in pairs if _form_bytes(name) == b"token"]
    if len(values) > 1:
        raise ProblemError(400, "invalid_request", "The field token is there twice.")
    if not any(values):
        raise ProblemError(400, "invalid_request", "The form has no field token with a value.")
    try:
        return _form_bytes(values[0]).decode()
    except UnicodeDecodeError:
        raise ProblemError(400, "invalid_request", "The field token is not UTF-8.") from None


def _form_bytes(text: bytes) -> bytes:
    """Return what a name or a value of a form stands for."""
    return unquote_to_bytes(text.replace(b"+", b" "))


async def _read_body(request: Request) -> bytes:
    told = request.headers.get("content-length", "0")
    if not told.isdecimal() or len(told) > len(str(LARGEST_FORM)) or int(told) > LARGEST_FORM:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():  # it may come without a length, in pieces
        body += chunk
        if len(body) > LARGEST_FORM:
            raise _too_large()
    return bytes(body)


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """Return client id and secret of HTTP Basic (RFC 6749, section 2.3.1); None when malformed."""
    headers = request.headers.getlist("authorization")
    scheme, _, encoded = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = text.partition(":")
        return (_decoded(client_id), _decoded(secret)) if colon else None
    except (binascii.Error, ValueError):  # UnicodeDecodeError is one
        return None


def bearer_token(request: Request, plain_header: str) -> str | None:
    """Return the token of `Authorization: Bearer` (RFC 6750), or of the plain header; else None.

    None as well when there is more than one. A client's `Authorization` of another scheme is not
    for us.
    """
    tokens = request.headers.getlist(plain_header) if plain_header else []
    for value in request.headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            tokens = [*tokens, token]
    return tokens[0] if len(tokens) == 1 else None


def client_address(request: Request, trusted: Iterable[IPv4Network | IPv6Network]) -> str:
    """Return whose address counts: the connection's, or the forwarded one of a trusted proxy.

    Of several forwarded addresses the last one counts that no trusted proxy has. Of an IPv6 address
    it is the network, which is the least that one client has.
    """
    peer = request.client.host if request.client else ""
    address = _address(peer)
    networks = list(trusted)
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    while forwarded and address and any(address in network for network in networks):
        further = _address(forwarded.pop())
        if further is None:
            break
        address = further
    return _counted(address) if address else UNKNOWN


@lru_cache(maxsize=10_000)  # it took a fifth of the time of a whole check
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that `text` is, be it with a port or as IPv4 written as IPv6."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=10_000)
def _counted(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((int(address), _PREFIX_OF_A_CLIENT), strict=False))


def _decoded(text: str) -> str:
    return unquote_plus(text, errors="strict")


def _too_large() -> ProblemError:
    return ProblemError(
        413,
        "invalid_request",
        f"The body is larger than {LARGEST_FORM:,} bytes.",
        {"connection": "close"},
    )
