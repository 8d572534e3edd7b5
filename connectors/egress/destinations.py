"""Where a URL leads: read strictly, written canonically, and refused if that is nowhere we go.

Nothing here asks the DNS. Clients of the network get `Destination.url`, which has one meaning only, so that what was
checked is what is connected to.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

import idna
from django.conf import settings

from connectors.egress.addresses import Address, Network, refusal
from connectors.errors import DestinationRefused

DEFAULT_PORTS = {"http": 80, "https": 443}
# The "bad ports" of the WHATWG Fetch standard: other protocols listen there and may take an HTTP request for theirs.
BAD_PORTS = {0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104}
BAD_PORTS |= {109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515}
BAD_PORTS |= {526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049}
BAD_PORTS |= {3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
LONGEST_URL = 8192
LONGEST_HOST = 253

_URL = re.compile(r"(?P<scheme>[a-z]+)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(?:#.*)?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_AUTHORITY = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]\s\\]*)(?::(?P<port>[0-9]{0,5}))?")
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCALHOST = ipaddress.IPv4Address("127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A URL that can be connected to, in parts: all ASCII, lower case where case means nothing."""

    scheme: str
    host: str
    """A name without trailing dot, or an IP address in its canonical form (without brackets)."""
    port: int
    target: str
    """Path and query as they go over the wire."""
    address: Address | None
    """Where a literal address or `localhost` leads without asking the DNS."""
    url: str


def check_url(url: str) -> None:
    """Raise DestinationRefused, with a message for people, if we would not connect there whatever the DNS says."""
    destination = parse(url)
    if destination.address is not None:
        refuse_unless_public(destination, [destination.address], allowed=allowed_networks())


def allowed_networks() -> tuple[Network, ...]:
    """The private networks that may be spoken to (`EGRESS_ALLOW_NETWORKS`), as they are set now."""
    return tuple(settings.EGRESS_ALLOW_NETWORKS)


def refuse_unless_public(destination: Destination, addresses: Iterable[Address], *, allowed: Sequence[Network]) -> None:
    """Raise DestinationRefused if any of `addresses`, which `destination` stands for, may not be spoken to."""
    for address in addresses:
        if kind := refusal(address, allowed=allowed):
            raise DestinationRefused(
                f"{destination.host} leads to a {kind} address; only public addresses are spoken to, "
                "and the networks that the operator lists in EGRESS_ALLOW_NETWORKS"
            )


@lru_cache(maxsize=4096)
def parse(url: str) -> Destination:
    """Raise DestinationRefused for anything but an unmistakable http or https URL to an allowed port."""
    if len(url) > LONGEST_URL:
        raise DestinationRefused(f"The URL is longer than {LONGEST_URL} characters")
    if _CONTROL.search(url):
        raise DestinationRefused("The URL contains a control character")
    match = _URL.fullmatch(url)
    if match is None:
        raise DestinationRefused("The URL must be complete, such as https://example.com/path")
    scheme, authority, target = match["scheme"].lower(), match["authority"], match["target"]
    if scheme not in DEFAULT_PORTS:
        raise DestinationRefused(f"The URL must start with https:// or http://, not {scheme}://")
    if "@" in authority:
        raise DestinationRefused("The URL must not carry a user name or password")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise DestinationRefused("The URL's host and port cannot be understood")
    host, address = _host(parts["host"])
    port = int(parts["port"] or DEFAULT_PORTS[scheme])
    if port in BAD_PORTS or port > 65535:
        raise DestinationRefused(f"Port {port} is not spoken to: it belongs to another protocol")
    target = _target(target)
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
    return Destination(
        scheme=scheme,
        host=host,
        port=port,
        target=target,
        address=address,
        url=f"{scheme}://{shown}{suffix}{target}",
    )


def _host(text: str) -> tuple[str, Address | None]:
    if text.startswith("["):
        try:
            literal = ipaddress.IPv6Address(text[1:-1])
        except ValueError:
            raise DestinationRefused("The URL's host is not a valid IPv6 address") from None
        if literal.scope_id is not None:
            raise DestinationRefused("The URL's host has a zone: such an address means something on one machine only")
        return str(literal), literal
    name = ascii_name(text).removesuffix(".")
    if not name or len(name) > LONGEST_HOST or not _NAME.fullmatch(name):
        raise DestinationRefused("The URL's host is not a valid name")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        # Every name that ends in a number is an IPv4 address to somebody; readings differ for all but this form.
        try:
            address = ipaddress.IPv4Address(name)
        except ValueError:
            raise DestinationRefused(
                "The URL's host looks like an IP address: write it as four decimal numbers, such as 192.0.2.1"
            ) from None
        return str(address), address
    if name == "localhost" or name.endswith(".localhost"):
        return name, _LOCALHOST
    return name, None


def ascii_name(name: str) -> str:
    """Lower case, and IDNA where there is more than ASCII: look-alike digits and dots become what they look like."""
    if name.isascii():
        return name.lower()
    try:
        return idna.encode(name, uts46=True).decode().lower()
    except UnicodeError:
        raise DestinationRefused("The URL's host is not a valid international name") from None


def _target(text: str) -> str:
    if not text.startswith("/"):
        text = f"/{text}"
    try:
        return quote(text, safe="!$%&'()*+,/:;=?@[]~")
    except UnicodeEncodeError:
        raise DestinationRefused("The URL contains a character that is none") from None
