"""HTTP requests and responses: forms with a size limit, JSON errors, addresses behind proxies."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import unquote_plus, unquote_to_bytes

from starlette.requests import Request
from starlette.responses import JSONResponse

LARGEST_FORM = 64 * 1024  # bytes; a token is under 100
UNKNOWN = "unknown"  # for an address that does not parse, such as nonsense in a proxy's header
_FORM = "application/x-www-form-urlencoded"
_NO_STORE = {"cache-control": "no-store"}
_PREFIX_OF_A_CLIENT = 64  # bits; one IPv6 client can use all addresses with this prefix


@dataclass
class ProblemError(Exception):
    """An error response: HTTP status, and `error` and `description` as in RFC 6749, section 5.2."""

    status: int
    error: str
    description: str
    headers: Mapping[str, str] | None = None

    def response(self) -> JSONResponse:
        """Return the error as a JSON response."""
        body = {"error": self.error, "error_description": self.description}
        return json_response(body, self.status, self.headers)


def json_response(
    body: Any,  # noqa: ANN401 - whatever JSON can say
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return `body` as a JSON response with `Cache-Control: no-store`."""
    return JSONResponse(body, status, {**_NO_STORE, **(headers or {})})


@dataclass(frozen=True)
class Form:
    """The fields of a form, as they were sent. `repr` hides them, because some are secrets."""

    fields: list[tuple[bytes, bytes]] = field(repr=False)

    @property
    def token(self) -> str:
        """Return the field `token`. Raises ProblemError (400) without exactly one value."""
        token = self._value("token")
        if not token:
            raise ProblemError(400, "invalid_request", "The form has no field token with a value.")
        return token

    @property
    def credentials(self) -> tuple[str, str] | None:
        """Return `client_id` and `client_secret` (RFC 6749, section 2.3.1); None without a secret.

        Raises ProblemError (400) when one is there twice, or is not UTF-8.
        """
        secret = self._value("client_secret")
        return (self._value("client_id"), secret) if secret else None

    def _value(self, name: str) -> str:
        """Return the only value of a field; empty for none (RFC 6749, section 3.1)."""
        values = [value for key, value in self.fields if key == name.encode()]
        if len(values) > 1:
            raise ProblemError(400, "invalid_request", f"The field {name} is there twice.")
        try:
            return values[0].decode() if values else ""
        except UnicodeDecodeError:
            raise ProblemError(400, "invalid_request", f"The field {name} is not UTF-8.") from None


def has_form(request: Request) -> bool:
    """Tell whether the body is a form, by its content type."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


async def read_form(request: Request) -> Form:
    """Return the form of a request. Fields that nobody asks for are ignored.

    A body that is too large is refused without being read. Raises ProblemError: 415 for another
    content type, 413 for too large.
    """
    if not has_form(request):
        raise ProblemError(415, "invalid_request", f"Send the fields as {_FORM}.")
    pairs = [pair.partition(b"=") for pair in (await _read_body(request)).split(b"&")]
    return Form([(_form_bytes(name), _form_bytes(value)) for name, _, value in pairs])


def _form_bytes(text: bytes) -> bytes:
    """Return the decoded name or value of a form field."""
    return unquote_to_bytes(text.replace(b"+", b" "))


async def _read_body(request: Request) -> bytes:
    length = request.headers.get("content-length", "0")
    is_short = length.isdecimal() and len(length) <= len(str(LARGEST_FORM))
    if not is_short or int(length) > LARGEST_FORM:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():  # a chunked body has no Content-Length
        body += chunk
        if len(body) > LARGEST_FORM:
            raise _too_large()
    return bytes(body)


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """Return the client id and secret of HTTP Basic (RFC 6749, section 2.3.1).

    None when there is no such header, more than one, or a malformed one.
    """
    headers = request.headers.getlist("authorization")
    scheme, _, encoded = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = text.partition(":")
        return (_decoded(client_id), _decoded(secret)) if colon else None
    except (binascii.Error, ValueError):  # UnicodeDecodeError is a ValueError
        return None


def bearer_token(request: Request, plain_header: str) -> str | None:
    """Return the token of `Authorization: Bearer` (RFC 6750) or of `plain_header`; else None.

    None also for more than one token; the same one in both headers counts once. An empty header is
    ignored. An `Authorization` header of another scheme is for the API behind the gateway.
    """
    given = request.headers.getlist(plain_header) if plain_header else []
    plain = [token for token in map(str.strip, given) if token]
    headers = (value.partition(" ") for value in request.headers.getlist("authorization"))
    bearer = [token.strip() for scheme, _, token in headers if scheme.lower() == "bearer"]
    tokens = plain if plain and (bearer == plain or not any(bearer)) else [*plain, *bearer]
    return tokens[0] if len(tokens) == 1 else None


def client_address(request: Request, trusted: Iterable[IPv4Network | IPv6Network]) -> str:
    """Return the client's address: that of the connection, or the one forwarded by a trusted proxy.

    Of several forwarded addresses it is the last one that is not a trusted proxy. Of an IPv6
    address it is the /64 network, which is the least that one client has.
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
    return _client_network(address) if address else UNKNOWN


@lru_cache(maxsize=10_000)  # without the cache it took a fifth of the time of a check
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in `text`, without a port; an IPv4-mapped IPv6 address as IPv4."""
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
def _client_network(address: IPv4Address | IPv6Address) -> str:
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
