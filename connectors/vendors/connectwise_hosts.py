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
# Under these, anybody can have the name next door. What registries sell in two parts (co.uk, com.au, or.jp) is known
# by its form; these are providers of hosting and of names who let everybody in.
_SHARED_PARENTS = tuple(
    """
    appspot.com azure.com azurefd.net azurewebsites.net cloudapp.net cloudfront.net ddns.net duckdns.org dyndns.org
    elasticbeanstalk.com firebaseapp.com fly.dev github.io herokuapp.com loca.lt netlify.app ngrok.app ngrok.dev
    ngrok.io ngrok-free.app ngrok-free.dev nip.io no-ip.org onrender.com pages.dev sslip.io traefik.me
    trycloudflare.com vercel.app web.app workers.dev
    """.split()  # noqa: SIM905 (one name a line would be a page of them)
)
_SECOND_LEVELS = re.compile("ac|co|com|edu|firm|gen|gob|gov|gouv|gv|ind|ltd|mil|ne|net|nom|or|org|plc")


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
    if not is_address and not all(map(_label, host.split("."))):
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
    if host.startswith(API_PREFIX) or not any(host.endswith(f".{domain}") for domain in CLOUD_DOMAINS):
        return None
    if not _label(API_PREFIX + host.partition(".")[0]):
        return None
    return f"{parts.scheme}://{API_PREFIX}{host}" + (f":{parts.port}" if parts.port else "")


def sibling_hosts(host: str) -> frozenset[str]:
    """The host and, where it is a name below somebody's own domain, the same with or without `api-` before it.

    `na.myconnectwise.net` and `api-na.myconnectwise.net` have each other. Addresses, names of fewer than three parts
    and names below a domain that is open to everybody (`co.uk`, hosting providers) have themselves only.
    """
    host = host.strip().lower().removesuffix(".")
    first, _, parent = host.partition(".")
    if not first or "." not in parent or _is_address(host) or _is_shared(parent):
        return frozenset({host})
    other = first.removeprefix(API_PREFIX) if first.startswith(API_PREFIX) else API_PREFIX + first
    return frozenset({host, f"{other}.{parent}"}) if _label(other) else frozenset({host})


def _is_shared(parent: str) -> bool:
    labels = parent.split(".")
    if len(labels) == 2 and len(labels[1]) == 2 and (len(labels[0]) < 3 or _SECOND_LEVELS.fullmatch(labels[0])):
        return True
    return any(parent == shared or parent.endswith(f".{shared}") for shared in _SHARED_PARENTS)


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
