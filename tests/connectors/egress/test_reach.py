"""Whether a provider can call us back."""

from __future__ import annotations

import pytest

from connectors.egress import Resolver, can_reach

NAMES = {"cloud.example.com": ["8.8.8.8"], "cw.acme.example": ["10.0.0.7"], "both.example.com": ["8.8.8.8", "10.0.0.7"]}


def lookup(name: str) -> list[str]:
    if name not in NAMES:
        raise OSError("no such name")
    return NAMES[name]


@pytest.mark.parametrize(
    "provider, ours, expected",
    [
        ("https://cloud.example.com/v4_6_release", "http://127.0.0.1:8000", False),
        ("https://cloud.example.com", "http://localhost:8000", False),
        ("https://cloud.example.com", "http://[::1]:8000", False),
        ("https://cloud.example.com", "http://192.168.1.5:8000", False),
        ("https://cloud.example.com", "http://[fd00::5]:8000", False),
        ("https://cloud.example.com", "https://hooks.example.org", True),
        ("https://cloud.example.com", "https://8.8.4.4", True),
        ("https://cw.acme.example", "http://127.0.0.1:8000", False),
        ("https://cw.acme.example", "http://192.168.1.5:8000", True),
        ("https://both.example.com", "http://192.168.1.5:8000", True),
        ("http://127.0.0.1:4010", "http://127.0.0.1:8000", True),
        ("http://127.0.0.1:4010", "http://192.168.1.5:8000", True),
        ("http://10.0.0.9", "http://127.0.0.1:8000", False),
        ("https://unknown.example.com", "http://127.0.0.1:8000", True),
        ("not a url", "http://127.0.0.1:8000", True),
    ],
)
def test_only_what_surely_finds_no_way_is_told_so(provider, ours, expected):
    assert can_reach(provider_url=provider, url=ours, resolver=Resolver(lookup)) is expected
