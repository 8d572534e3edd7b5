from __future__ import annotations

import pytest

from connectors.connection import origin


@pytest.mark.parametrize(
    "one, other",
    [
        ("https://api.example/v1", "https://API.example:443/v2/"),
        ("api.example", "https://api.example"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_the_same_server_has_one_origin(one, other):
    assert origin(one) == origin(other)


@pytest.mark.parametrize(
    "one, other",
    [
        ("https://fussball.example", "https://fußball.example"),
        ("https://api.example", "http://api.example"),
        ("https://api.example", "https://api.example:8443"),
        ("https://api.example", "https://api.example.evil"),
    ],
)
def test_another_server_has_another_origin(one, other):
    assert origin(one) != origin(other)
