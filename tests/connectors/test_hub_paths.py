from __future__ import annotations

import pytest

from connectors import hub_paths
from connectors.element import READING
from connectors.elements.connectwisecrmrest.definition import ELEMENT
from connectors.errors import InvalidQuery, UnknownResource


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


@pytest.mark.parametrize(
    "path, collection, record_id, provider_path",
    [
        ("contacts", "contacts", None, "/company/contacts"),
        ("contacts/5", "contacts", "5", "/company/contacts"),
        ("incidents/5/comments", "incidents/5/comments", None, "/service/tickets/5/notes"),
        ("incidents/5/comments/7", "incidents/5/comments", "7", "/service/tickets/5/notes"),
        ("boards", "boards", None, "/service/boards"),
        ("boards/1/statuses/2", "boards/1/statuses", "2", "/service/boards/1/statuses"),
        ("service/boards", "service/boards", None, "/service/boards"),
        ("service/boards/1/statuses", "service/boards/1/statuses", None, "/service/boards/1/statuses"),
    ],
)
def test_a_path_leads_to_a_collection_or_one_of_its_records(path, collection, record_id, provider_path):
    target = hub_paths.locate(ELEMENT, path)

    assert (target.collection, target.record_id) == (collection, record_id)
    assert target.concrete().path == provider_path


@pytest.mark.parametrize(
    "path",
    ["", "nothing", "contacts/1/nothing", "incidents/1/nothing/2", "nothing/1", "a/../b", ".", "a/b/c/d/e/f", "a//b"],
)
def test_a_path_that_leads_nowhere_names_the_resources(path):
    with pytest.raises(UnknownResource, match="it has configurations, contacts"):
        hub_paths.locate(ELEMENT, path)


@pytest.mark.parametrize("path", ["service/boards", "boards/1/statuses"])
def test_what_is_passed_through_by_its_path_can_only_be_read(path):
    assert hub_paths.locate(ELEMENT, path).operations == READING
