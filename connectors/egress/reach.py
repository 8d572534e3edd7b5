"""Whether a provider can call us back: a server on the internet finds no way to a private address of ours."""

from __future__ import annotations

import ipaddress
from enum import IntEnum

from connectors.egress import resolver as resolvers
from connectors.egress.addresses import Address, refusal
from connectors.egress.destinations import parse
from connectors.egress.resolver import Resolver
from connectors.errors import DestinationRefused, TryLater

LOOKUP_SECONDS = 2.0
_IPV6_LOOPBACK = ipaddress.IPv6Address("::1")


class Reach(IntEnum):
    """From how far away an address can be spoken to."""

    MACHINE = 0
    NETWORK = 1
    INTERNET = 2


def can_reach(*, provider_url: str, url: str, resolver: Resolver | None = None) -> bool:
    """False where `provider_url` surely has no way to `url`: it lies further out than `url` can be seen from.

    What a name of ours leads to is not asked, since names may mean something else inside and outside; a provider
    whose address cannot be found has the benefit of the doubt.
    """
    try:
        ours, theirs = parse(url), parse(provider_url)
    except DestinationRefused:
        return True
    if ours.address is None:
        return True
    addresses: tuple[Address, ...]
    if theirs.address is not None:
        addresses = (theirs.address,)
    else:
        try:
            addresses = (resolver or resolvers.default).resolve(theirs.host, timeout=LOOKUP_SECONDS)
        except TryLater:
            return True
    return reach(ours.address) >= min(map(reach, addresses))


def reach(address: Address) -> Reach:
    if address == _IPV6_LOOPBACK or (isinstance(address, ipaddress.IPv4Address) and address.is_loopback):
        return Reach.MACHINE
    return Reach.NETWORK if refusal(address) else Reach.INTERNET
