"""Which IP addresses may be spoken to: global unicast, seen through every wrapper that carries an IPv4 address.

Pure: values in, a verdict out. The tables are ours rather than `ipaddress.is_global`, whose answers differ between
Python releases.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_IPV4_REFUSED = [
    (IPv4Network(network), kind)
    for network, kind in [
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        # Not reserved, but on Azure every machine reaches its own host's agent (keys, certificates) there.
        ("168.63.129.16/32", "cloud metadata"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignment"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    ]
]
# Outside of this block nothing is global unicast: ULA, link-local, multicast, SRv6, discard-only, unassigned.
_IPV6_GLOBAL_UNICAST = IPv6Network("2000::/3")
_IPV6_REFUSED = [
    (IPv6Network(network), kind)
    for network, kind in [
        ("2001::/23", "protocol assignment"),  # ORCHID, benchmarking and others; Teredo is unwrapped before
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
    ]
]
_IPV6_KINDS = [
    (IPv6Network(network), kind)
    for network, kind in [
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("5f00::/16", "segment routing"),
    ]
]

_IPV4_COMPATIBLE = IPv6Network("::/96")
_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_TEREDO = IPv6Network("2001::/32")
_6TO4 = IPv6Network("2002::/16")
_THIS_HOST = IPv4Network("0.0.0.0/8")


def refusal(address: Address, *, allowed: Sequence[Network] = ()) -> str:
    """What kind of address this is, in a word or two, if nobody may be reached there; "" if it may be spoken to.

    `allowed` networks override the tables for the addresses inside them, wrapped or not.
    """
    if any(address.version == network.version and address in network for network in allowed):
        return ""
    if isinstance(address, IPv4Address):
        return _kind(address, _IPV4_REFUSED)
    if carried := carried_addresses(address):
        return next(filter(None, (refusal(inner, allowed=allowed) for inner in carried)), "")
    if address not in _IPV6_GLOBAL_UNICAST:
        return _kind(address, _IPV6_KINDS) or "reserved"
    return _kind(address, _IPV6_REFUSED)


def carried_addresses(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address stands for; empty for one that stands for itself.

    All of them count: a packet to a Teredo address goes by way of its server to its client.
    """
    bits = int(address)
    if address in _IPV4_COMPATIBLE or address in _IPV4_MAPPED or address in _NAT64:
        return (IPv4Address(bits & 0xFFFFFFFF),)
    if address in _6TO4:
        return (IPv4Address(bits >> 80 & 0xFFFFFFFF),)
    if address in _TEREDO:
        return (IPv4Address(bits >> 64 & 0xFFFFFFFF), IPv4Address(~bits & 0xFFFFFFFF))
    if address in _NAT64_LOCAL:
        return _carried_by_local_nat64(bits)
    return ()


def _carried_by_local_nat64(bits: int) -> tuple[IPv4Address, ...]:
    """A network may cut its prefix out of this block at /48, /56, /64 or /96, and each puts the address elsewhere.

    From outside one cannot tell which it is, so every reading counts, except those in 0.0.0.0/8: an address under the
    /96 reads as one of these under the others, and no translator forwards to them.
    """
    packed = bits.to_bytes(16, "big")
    # Byte 8 is left out by RFC 6052 ("u"); what follows the address is ignored by translators.
    others = (packed[6:8] + packed[9:11], packed[7:8] + packed[9:12], packed[9:13])
    readings = (IPv4Address(reading) for reading in others)
    return (IPv4Address(packed[12:]), *(reading for reading in readings if reading not in _THIS_HOST))


def _kind(address: Address, table: Sequence[tuple[Network, str]]) -> str:
    return next((kind for network, kind in table if address in network), "")
