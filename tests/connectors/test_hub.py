from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from connectors import hub
from connectors.connection import Connection
from connectors.elements.connectwisecrmrest.definition import ELEMENT
from connectors.errors import InvalidQuery, RecordNotFound, UnusableAnswer
from connectors.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(contacts=23, companies=5, tickets=12) as sandbox:
        yield sandbox


def connection_to(sandbox: Sandbox, *, filters_nulls: bool = True) -> Connection:
    return Connection(
        element=ELEMENT,
        configuration={
            "baseUrl": sandbox.base_url,
            "company": sandbox.company,
            "public.key": sandbox.public_key,
            "private.key": sandbox.private_key,
        },
        filters_nulls=filters_nulls,
    )


@pytest.fixture
def connection(sandbox) -> Connection:
    return connection_to(sandbox)


def ids(page: Any) -> list[int]:
    return [record["id"] for record in page.records()]


def token(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


# Pages


def test_page_holds_what_the_provider_sent(connection, sandbox):
    page = hub.find(connection, "contacts", where="id <= 5")

    assert ids(page) == [number for number in sandbox.contacts.ids() if number <= 5]
    assert page.next_page_token is None


@pytest.mark.parametrize("order_by", [None, "id asc"])
def test_tokens_lead_through_everything_once(connection, sandbox, order_by):
    found, page_token = [], None
    while True:
        page = hub.find(connection, "contacts", page_size=7, page_token=page_token, order_by=order_by)
        found += ids(page)
        if (page_token := page.next_page_token) is None:
            break

    assert found == sandbox.contacts.ids()


def test_page_size_travels_inside_the_token(connection):
    first = hub.find(connection, "contacts", page_size=7)

    assert len(ids(hub.find(connection, "contacts", page_size=3, page=9, page_token=first.next_page_token))) == 7


def test_two_small_pages_are_one_large_one(connection):
    first, second = (hub.find(connection, "contacts", page=page, page_size=4) for page in (1, 2))

    assert first.records() + second.records() == hub.find(connection, "contacts", page_size=8).records()


def test_page_number_goes_on_to_the_page_behind_it(connection, sandbox):
    second = hub.find(connection, "contacts", page=2, page_size=4)
    third = hub.find(connection, "contacts", page_size=4, page_token=second.next_page_token)

    assert ids(third) == sandbox.contacts.ids()[8:12]


def test_deletion_hides_nothing_from_a_client_between_two_pages(connection, sandbox):
    everybody = sandbox.contacts.ids()
    first = hub.find(connection, "contacts", page_size=10)
    sandbox.contacts.delete(everybody[0])

    second = hub.find(connection, "contacts", page_size=10, page_token=first.next_page_token)

    assert ids(second) == everybody[10:20]


@pytest.mark.parametrize(
    "garbage",
    [
        "x",
        "%%%",
        "ä",
        "a" * 5000,
        token("after:7"),
        token("after:0:5"),
        token("after:1001:5"),
        token("after:7:5&x"),
        token("after:7:-1"),
        token("page:7:0"),
        token("page:7:x"),
        token("page:7:" + "9" * 30),
        token("page:７:1"),
        token("other:7:1"),
        token("after:7:5\n"),
    ],
)
def test_garbage_is_no_page_token(connection, sandbox, garbage):
    with pytest.raises(InvalidQuery, match="nextPage"):
        hub.find(connection, "contacts", page_token=garbage)
    assert sandbox.requests == []


def test_order_cannot_begin_in_the_middle_of_a_walk_by_id(connection):
    first = hub.find(connection, "contacts", page_size=4)

    with pytest.raises(InvalidQuery, match="without orderBy"):
        hub.find(connection, "contacts", page_token=first.next_page_token, order_by="firstName")


def test_page_sizes_are_brought_into_range(connection, sandbox):
    hub.find(connection, "contacts", page_size=5000)
    hub.find(connection, "contacts", page_size=0)

    assert [request.query["pagesize"] for request in sandbox.requests] == ["1000", "1"]


def test_order_and_fields_are_passed_on(connection, sandbox):
    page = hub.find(connection, "organizations", order_by="name desc", fields=["id", "name"])

    names = [record["name"] for record in page.records()]
    assert sorted(names, key=str.lower, reverse=True) == names
    assert all(set(record) == {"id", "name"} for record in page.records())


def test_unknown_resource_names_those_there_are(connection):
    with pytest.raises(InvalidQuery, match="it has configurations, contacts, fields, incidents"):
        hub.find(connection, "leads")
    with pytest.raises(InvalidQuery, match="leads"):
        next(hub.read_all(connection, "leads", where=None))


def test_where_that_does_not_parse_is_refused_before_any_call(connection, sandbox):
    for call in (
        lambda: hub.find(connection, "contacts", where="id ="),
        lambda: next(hub.read_all(connection, "contacts", where="id =")),
        lambda: hub.count(connection, "contacts", where="id ="),
    ):
        with pytest.raises(InvalidQuery, match="Error parsing query"):
            call()
    assert sandbox.requests == []


# Reading all


def test_reading_all_goes_through_every_page(connection, sandbox):
    pages = list(hub.read_all(connection, "contacts", where="id > 0", page_size=5))

    records = [record for page in pages for record in page.records()]
    assert records == [sandbox.contacts.get(number) for number in sandbox.contacts.ids()]
    assert len(pages) == 5


def test_reading_nothing_still_has_one_page_with_the_providers_clock(connection, sandbox):
    (page,) = hub.read_all(connection, "contacts", where="id > 99999")

    assert page.records() == []
    assert abs(page.answered_at - sandbox.clock.now()) < timedelta(seconds=5)


def test_reading_all_leaves_the_providers_bytes_alone(connection, sandbox):
    body = b'[ {"id": 1, "a" : null} ]'
    sandbox.behave(path="/company/contacts", status=200, body=body, headers={"Link": ""})

    (page,) = hub.read_all(connection, "contacts", where=None)

    assert page.body == body


def test_records_edited_and_deleted_meanwhile_are_neither_hidden_nor_repeated(connection, sandbox):
    everybody = sandbox.contacts.ids()
    found = []
    for page in hub.read_all(connection, "contacts", where="lastUpdated>'2000-01-01T00:00:00Z'", page_size=5):
        found += ids(page)
        sandbox.contacts.delete(found[-1])
        sandbox.contacts.edit(found[-2], title="edited")

    assert found == everybody


def test_a_failure_in_the_middle_ends_the_reading(connection, sandbox):
    pages = hub.read_all(connection, "contacts", where=None, page_size=5)
    next(pages)
    sandbox.behave(path="/company/contacts", status=200, body="<html>")

    with pytest.raises(UnusableAnswer):
        next(pages)


# One record, and how many


def test_one_record_without_nulls(connection, sandbox):
    sandbox.behave(path="/company/contacts/7", status=200, body={"id": 7, "a": None, "b": {"c": None, "d": [None]}})

    assert hub.get(connection, "contacts", "7").fields == {"id": 7, "b": {"d": [None]}}


def test_one_record_with_nulls_where_they_are_wanted(sandbox):
    sandbox.behave(path="/company/contacts/7", status=200, body={"id": 7, "a": None})

    assert hub.get(connection_to(sandbox, filters_nulls=False), "contacts", "7").fields == {"id": 7, "a": None}


def test_record_that_is_not_there(connection):
    with pytest.raises(RecordNotFound):
        hub.get(connection, "contacts", "999999")


def test_count(connection):
    assert hub.count(connection, "contacts", where=None) == 23
    assert hub.count(connection, "contacts", where="id < 0") == 0


# Nulls


def find_body(sandbox: Sandbox, body: bytes, *, filters_nulls: bool = True) -> bytes:
    sandbox.behave(path="/company/contacts", status=200, body=body, headers={"Link": ""})
    return hub.find(connection_to(sandbox, filters_nulls=filters_nulls), "contacts").body


@pytest.mark.parametrize(
    "body",
    [
        b'[ {"id":1, "a" : [ null ]} ]',
        b'[{"id":1,"a":"null","nullable":1.10}]',
        b'[{"id":1,"a,":":null,"},{"id":2,"{":":null,"},{"id":3,"a":"\\":null,"}]',
        b'[{"id":1,"a":12345678901234567890123,"b":"\xc3\xa9\\u00e9"}]',
    ],
)
def test_page_without_null_members_passes_byte_for_byte(sandbox, body):
    assert find_body(sandbox, body) == body


def test_nulls_are_cut_out_of_the_bytes(sandbox):
    body = b'[{"a":null,"b":null,"x":1.50},{"x":{"a":null},"b":null},{"x":[null,{"b":null}],"c":"\\",\\"a\\":null,"}]'

    assert find_body(sandbox, body) == b'[{"x":1.50},{"x":{}},{"x":[null,{}],"c":"\\",\\"a\\":null,"}]'


def test_only_records_with_null_members_are_rebuilt(sandbox):
    body = b'[ {"id": 1, "x": 1.50}, {"id": 2, "x": null, "y": {"z":\tnull, "list": [null, {"n": null}]}} ]'

    assert find_body(sandbox, body) == b'[{"id": 1, "x": 1.50},{"id":2,"y":{"list":[null,{}]}}]'


def test_nulls_stay_where_they_are_wanted(sandbox):
    body = b'[{"id": 2, "x": null}]'

    assert find_body(sandbox, body, filters_nulls=False) == body


def test_record_nested_beyond_reason_is_unusable(sandbox):
    body = b'[{"id":2,"x": null,"n":' + b'{"a":' * 700 + b"1" + b"}" * 700 + b"}]"

    with pytest.raises(UnusableAnswer):
        find_body(sandbox, body)
