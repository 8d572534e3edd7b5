from __future__ import annotations

import pytest

from connectors import hub_paths
from connectors.errors import InvalidQuery


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/hubs/crm/contacts", ("contacts", {})),
        ("/hubs/anything/contacts/", ("contacts", {})),
        ("/contacts", ("contacts", {})),
        ("contacts", ("contacts", {})),
        ("hubs/crm/contacts?", ("contacts", {})),
        ("/hubs/crm/incidents/5/comments", ("incidents/5/comments", {})),
        (
            "/hubs/crm/contacts?where=lastUpdated>'2018-01-15T00:00:00Z'&pageSize=5",
            ("contacts", {"where": "lastUpdated>'2018-01-15T00:00:00Z'", "pageSize": "5"}),
        ),
        ("/contacts?where=lastUpdated%3E%272018%27", ("contacts", {"where": "lastUpdated>'2018'"})),
        ("/contacts?where=a='x y'+AND+b=1", ("contacts", {"where": "a='x y' AND b=1"})),
        (
            "/contacts?where=lastUpdated>'2018-01-15T00:00:00+05:30' AND id>1",
            ("contacts", {"where": "lastUpdated>'2018-01-15T00:00:00+05:30' AND id>1"}),
        ),
        ("/contacts?where=name LIKE '50%'", ("contacts", {"where": "name LIKE '50%'"})),
        ("/contacts?where=name LIKE '%25x'", ("contacts", {"where": "name LIKE '%x'"})),
        ("/contacts?where=name='Zoë #1'", ("contacts", {"where": "name='Zoë #1'"})),
        ("/contacts?where=a='1'&where=b='2'", ("contacts", {"where": "b='2'"})),
        ("/contacts?where=a='x=y'", ("contacts", {"where": "a='x=y'"})),
    ],
)
def test_path_is_read_raw_and_encoded(url, expected):
    assert hub_paths.parse_path(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example/contacts",
        "https://evil.example/hubs/crm/contacts",
        "/../instances",
        "/hubs/crm/../contacts",
        "@evil.example/contacts",
        "\\\\evil\\contacts",
        "/hubs/crm/con%2e%2e",
        "",
        "/",
        "?where=a=1",
        "/contacts/;x",
        "/hubs/crm/contacts#x",
    ],
)
def test_what_is_no_path_of_the_hub_is_refused(url):
    with pytest.raises(InvalidQuery, match=r"url: .* is no path like /hubs/crm/contacts"):
        hub_paths.parse_path(url)


def test_percent_encoding_that_is_no_utf_8_is_refused():
    with pytest.raises(InvalidQuery, match="%25"):
        hub_paths.parse_path("/contacts?where=name LIKE '%ffx'")


def test_too_many_parameters_are_refused():
    with pytest.raises(InvalidQuery, match="100"):
        hub_paths.parse_query("&".join(["a=1"] * 101))
