"""The hosts of ConnectWise: where a server lies that people name in many ways, and which hosts are one and the same."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from connectors.egress import destinations
from connectors.errors import DestinationRefused, RequestRefused

API_PREFIX = "api-"
CLOUD_DOMAINS = ("myconnectwise.net", "connectwisedev.com")
"""ConnectWise's own: whoever has a name under them is ConnectWise."""

_scheme = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_bare_scheme = re.compile(r"https?:(?!//)", re.IGNORECASE)
_label = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?").fullmatch


def server_origin(text: str, *, key: str) -> str:
    """`https://host[:port]` of a server's address as people write or paste it: with or without scheme and path.

    `http://` is kept for addresses, for `localhost` and for names without a dot, all of which are on a network of
    one's own; elsewhere it becomes https, because credentials go along. Raises RequestRefused, naming `key`.
    """
    example = "it reads like https://api-na.myconnectwise.net"
    url = text.strip()
    match = _scheme.match(url)
    scheme = match[1].lower() if match else "https"
    if scheme not in ("http", "https") or _bare_scheme.match(url):
        raise RequestRefused(f"{key} is no address of a server; {example}")
    try:
        parts = urlsplit(url if match else f"https://{url}")
        port = parts.port
        host = destinations.ascii_name(parts.hostname or "").removesuffix(".")
    except (ValueError, DestinationRefused):
        raise RequestRefused(f"{key} is no address of a server; {example}") from None
    if "@" in parts.netloc:
        raise RequestRefused(f"{key} must hold no user name and no password; {example}")
    is_address = _is_address(host)
    if not (is_address if ":" in host else all(map(_label, host.split(".")))):
        raise RequestRefused(f"{key} is no address of a server; {example}")
    if scheme == "http" and "." in host and not is_address:
        scheme, port = "https", None if port == 80 else port
    if port in (None, {"http": 80, "https": 443}[scheme]):
        return f"{scheme}://{_bracketed(host)}"
    return f"{scheme}://{_bracketed(host)}:{port}"


def api_sibling(origin: str) -> str | None:
    """The origin for programs beside one for people, on ConnectWise's cloud; None for every other server.

    `https://na.myconnectwise.net` -> `https://api-na.myconnectwise.net`
    """
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if host.startswith(API_PREFIX) or not _is_on_cloud(host):
        return None
    if not _label(API_PREFIX + host.partition(".")[0]):
        return None
    return f"{parts.scheme}://{API_PREFIX}{host}" + (f":{parts.port}" if parts.port else "")


def sibling_hosts(host: str) -> frozenset[str]:
    """The host and, on ConnectWise's cloud, its other name: `na` and `api-na` are one server there.

    Elsewhere servers have no such second name, and whoever has a name need not have the one with `api-` before it.
    """
    host = host.strip().lower().removesuffix(".")
    if not _is_on_cloud(host):
        return frozenset({host})
    other = host.removeprefix(API_PREFIX) if host.startswith(API_PREFIX) else API_PREFIX + host
    return frozenset({host, other}) if _label(other.partition(".")[0]) else frozenset({host})


def _is_on_cloud(host: str) -> bool:
    return any(host.endswith(f".{domain}") for domain in CLOUD_DOMAINS)


def _is_address(host: str) -> bool:
    """Whether it is one, or would be one to somebody: a name that ends in a number."""
    if host.rpartition(".")[2].isdigit():
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
