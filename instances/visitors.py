"""From which address somebody came."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def address_of(request: HttpRequest) -> str | None:
    """The visitor's, as far as somebody said it whom we believe; None where there is no address."""
    return seen_address(
        peer=str(request.META.get("REMOTE_ADDR", "")),
        forwarded=str(request.META.get("HTTP_X_FORWARDED_FOR", "")),
        trusted=settings.TRUSTED_PROXIES,
    )


def seen_address(*, peer: str, forwarded: str, trusted: Sequence[Network]) -> str | None:
    """`peer` connected to us. If it is a proxy of ours, the last of `forwarded` that is none is who connected to it.

    Everything to the left of that was said by the visitor, who may say anything.
    """
    seen = _parsed(peer)
    for said in reversed(forwarded.split(",")):
        if seen is None or not _is_in(seen, trusted):
            break
        earlier = _parsed(said)
        if earlier is None:
            break
        seen = earlier
    return None if seen is None else str(seen)


def _parsed(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
