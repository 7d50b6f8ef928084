"""Origins and hosts, as browsers and proxies write them."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def same_host(scheme: str, one: str, other: str) -> bool:
    """Tell whether two hosts are the same for a scheme: `host:443` is `host` for https."""
    return bool(one) and _canonical(scheme, one) == _canonical(scheme, other)


def _canonical(scheme: str, host: str) -> str:
    port = _DEFAULT_PORTS.get(scheme.lower())
    host = host.lower()
    return host.removesuffix(port) if port else host
