from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.egress.addresses import carried_addresses, refusal


def words(text: str) -> list[str]:
    return text.split()


REFUSED = words("""
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254
168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.170 192.0.0.192
192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1
239.255.255.250 240.0.0.1 255.255.255.254 255.255.255.255
:: ::1 ::127.0.0.1 ::10.0.0.1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1
64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::7f00:1 64:ff9b:1:7f00:0:100:: 64:ff9b:1:7f00:0:100:808:808
64:ff9b:1:a:0:1:800:0 64:ff9b:1:0:a:0:100:0 64:ff9b:2::808:808 100::1 2002:7f00:1:: 2002:a00:1::1 2002:a9fe:a9fe::
2001:0:7f00:1:0:0:f7f7:f7f7 2001:0:808:808:0:0:80ff:fffe 2001:0:a00:1::f5ff:fffe 2001:2::1 2001:10::1 2001:20::1
2001:db8::1 3fff::1 4000::1 5f00::1 fc00::1 fd00::1 fd00:ec2::254 fd20:ce::254 fe80::1 fe80::1%eth0 febf::1 fec0::1
ff02::1 ff0e::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
""")

PUBLIC = words("""
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 128.0.0.1 169.253.255.255 172.15.255.255 172.32.0.1
192.0.1.1 192.167.255.255 198.17.255.255 198.20.0.1 223.255.255.255 2606:4700:4700::1111 2001:4860:4860::8888
2a00:1450:4001::1 2620:fe::fe 2001:200::1 ::ffff:8.8.8.8 ::8.8.8.8 64:ff9b::808:808 64:ff9b:1::808:808 2002:808:808::1
2001:0:808:808:0:0:f7f7:f7f7
""")

ipv4 = st.ip_addresses(v=4)
PRIVATE_NETWORKS = [ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")]
private_ipv4 = st.sampled_from([*PRIVATE_NETWORKS, ip_network("169.254.0.0/16"), ip_network("100.64.0.0/10")]).flatmap(
    lambda network: st.ip_addresses(network=network)
)

WRAPPERS = {
    "IPv4-compatible": lambda inner: IPv6Address(int(inner)),
    "IPv4-mapped": lambda inner: IPv6Address((0xFFFF << 32) | int(inner)),
    "6to4": lambda inner: IPv6Address((0x2002 << 112) | (int(inner) << 80) | 1),
    "NAT64": lambda inner: IPv6Address((0x64FF9B << 96) | int(inner)),
    "local NAT64": lambda inner: IPv6Address((0x64FF9B0001 << 80) | int(inner)),
    "Teredo client": lambda inner: IPv6Address(
        (0x20010000 << 96) | (int(IPv4Address("8.8.8.8")) << 64) | (int(inner) ^ 0xFFFFFFFF)
    ),
    "Teredo server": lambda inner: IPv6Address(
        (0x20010000 << 96) | (int(inner) << 64) | (int(IPv4Address("8.8.8.8")) ^ 0xFFFFFFFF)
    ),
}


def test_the_lists_are_as_long_as_they_should_be():
    assert len(set(REFUSED)) >= 60
    assert len(set(PUBLIC)) >= 20


@pytest.mark.parametrize("text", REFUSED)
def test_an_address_that_is_not_global_unicast_is_refused(text):
    assert refusal(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_accepted(text):
    assert refusal(ip_address(text)) == ""


@settings(max_examples=150, deadline=None)
@given(inner=ipv4)
def test_the_verdict_of_a_wrapper_is_the_verdict_of_the_address_inside(inner):
    for wrap in WRAPPERS.values():
        assert refusal(wrap(inner)) == refusal(inner)


@settings(max_examples=150, deadline=None)
@given(inner=private_ipv4)
def test_a_private_address_is_refused_in_every_wrapper(inner):
    for wrap in WRAPPERS.values():
        assert inner in carried_addresses(wrap(inner))
        assert refusal(wrap(inner))


@settings(max_examples=150, deadline=None)
@given(inner=private_ipv4, suffix=st.integers(0, 2**32 - 1), length=st.sampled_from([48, 56, 64, 96]))
def test_a_private_address_is_refused_wherever_local_nat64_may_put_it(inner, suffix, length):
    octets = bytearray(16)
    octets[:6] = bytes.fromhex("0064ff9b0001")
    octets[12:] = suffix.to_bytes(4, "big")
    start = length // 8
    positions = [position for position in range(start, 16) if position != 8][:4]
    for position, octet in zip(positions, inner.packed, strict=True):
        octets[position] = octet

    assert refusal(IPv6Address(bytes(octets)))


@settings(max_examples=150, deadline=None)
@given(inner=private_ipv4, network=st.sampled_from(PRIVATE_NETWORKS))
def test_an_allowed_network_admits_its_addresses_wrapped_or_not_and_no_others(inner, network):
    for wrap in [lambda address: address, *WRAPPERS.values()]:
        assert (refusal(wrap(inner), allowed=[network]) == "") == (inner in network)


def test_an_allowed_ipv6_network_admits_its_addresses():
    assert refusal(ip_address("fd12:3456::1"), allowed=[ip_network("fd12:3456::/32")]) == ""
    assert refusal(ip_address("::1"), allowed=[ip_network("::1/128")]) == ""
    assert refusal(ip_address("fd99::1"), allowed=[ip_network("fd12:3456::/32")]) == "private"


@settings(max_examples=150, deadline=None)
@given(address=st.ip_addresses(v=6))
def test_outside_of_global_unicast_and_the_wrappers_no_ipv6_address_is_accepted(address):
    if not carried_addresses(address) and int(address) >> 125 != 0b001:
        assert refusal(address)
