"""From which address somebody came: what visitors say about themselves is not believed."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from instances.visitors import seen_address

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("", "198.51.100.1", None),
    ],
)
def test_only_what_our_proxies_say_is_believed(peer, forwarded, seen):
    assert seen_address(peer=peer, forwarded=forwarded, trusted=PROXIES) == seen


def test_without_proxies_of_ours_nobody_is_believed():
    assert seen_address(peer="10.0.0.1", forwarded="198.51.100.1", trusted=[]) == "10.0.0.1"
