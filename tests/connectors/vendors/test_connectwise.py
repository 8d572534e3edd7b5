from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors import ceql
from connectors.elements.connectwisecrmrest.definition import CONTACTS, INCIDENTS, ORGANIZATIONS
from connectors.errors import (
    ConnectorError,
    CredentialsRefused,
    InvalidQuery,
    PermissionRefused,
    RateLimited,
    RecordNotFound,
    RequestRefused,
    TryLater,
    UnusableAnswer,
)
from connectors.records import Page, Query
from connectors.sandbox import Sandbox
from connectors.vendors.connectwise import ConnectWiseClient
from tests.connectors.vendors.clients import client_of


def ids(page: Page) -> list[int]:
    return [record["id"] for record in page.records()]


def walk(client: ConnectWiseClient, query: Query) -> list[int]:
    found: list[int] = []
    while True:
        page = client.find(CONTACTS, query)
        found += ids(page)
        if page.next_page_token is None:
            return found
        query = Query(
            where=query.where,
            page_size=query.page_size,
            page_token=page.next_page_token,
            is_stable=query.is_stable,
            fields=query.fields,
        )


# Answers that do not hold


@pytest.mark.parametrize(
    "body",
    ["<html>Sign in</html>", "", "{", "[]", '"ok"', "null", b'{"version": "\xff"}', '{"a":' + "[" * 20_000],
)
def test_check_takes_a_complete_object_only(client, sandbox, body):
    sandbox.behave(path="/system/info", status=200, body=body)

    with pytest.raises(UnusableAnswer):
        client.check()


@pytest.mark.parametrize(
    "body",
    ["<html>Sign in</html>", "", '[{"id": 1}', '[{"id": 1},]', "[1]", "[null]", "{}", b'[{"id": 1, "name": "\xff"}]'],
)
@pytest.mark.parametrize("is_stable", [True, False])
def test_page_is_a_complete_list_of_objects_only(client, sandbox, body, is_stable):
    sandbox.behave(path="/company/contacts", status=200, body=body)

    with pytest.raises(UnusableAnswer):
        client.find(CONTACTS, Query(is_stable=is_stable))


def test_page_cut_in_transit_is_unusable(client, sandbox):
    sandbox.behave(path="/company/contacts", cut_after=500)

    with pytest.raises(UnusableAnswer):
        client.find(CONTACTS, Query())


@pytest.mark.parametrize("call", ["check", "find", "stable"])
def test_answer_without_a_date_is_unusable(client, sandbox, call):
    sandbox.behave(headers={"Date": "soon"})

    calls = {
        "check": client.check,
        "find": lambda: client.find(CONTACTS, Query()),
        "stable": lambda: client.find(CONTACTS, Query(is_stable=True)),
    }

    with pytest.raises(UnusableAnswer, match="Date"):
        calls[call]()


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, CredentialsRefused), (403, PermissionRefused), (404, RecordNotFound), (429, RateLimited), (502, TryLater)],
)
def test_statuses_of_a_list_are_errors_by_their_next_step(client, sandbox, status, error):
    sandbox.behave(path="/service/tickets", status=status)

    with pytest.raises(error) as raised:
        client.find(INCIDENTS, Query())

    assert raised.value.status == status


def test_throttling_says_how_long(client, sandbox):
    sandbox.behave(status=429, headers={"Retry-After": "7"})

    with pytest.raises(RateLimited) as raised:
        client.find(CONTACTS, Query())

    assert raised.value.retry_after == timedelta(seconds=7)


def test_refused_permission_names_the_resource(client, sandbox):
    sandbox.behave(path="/service/tickets", status=403)

    with pytest.raises(PermissionRefused, match="/service/tickets: the security role"):
        client.find(INCIDENTS, Query())


def test_unknown_field_is_refused_in_the_providers_words(client):
    with pytest.raises(RequestRefused) as refused:
        client.find(CONTACTS, Query(where=ceql.parse("shoeSize = 'XL'")))

    assert "shoeSize" in refused.value.provider_message


# Pages


@pytest.mark.parametrize("size", [1, 5, 23, 24])
@pytest.mark.parametrize("is_stable", [True, False])
def test_pages_together_are_everything_once(client, sandbox, size, is_stable):
    query = Query(page_size=size, is_stable=is_stable)
    found: list[int] = []
    for _ in range(40):
        page = client.find(CONTACTS, query)
        found += ids(page)
        if page.next_page_token is None:
            break
        query = (
            Query(page_size=size, is_stable=True, page_token=page.next_page_token)
            if is_stable
            else Query(page_size=size, page=int(page.next_page_token))
        )

    assert found == sandbox.contacts.ids()
    # Where all fits on one page there is no Link header: a full one has to be asked for its successor.
    asks_once_more = size == 23 and not is_stable
    assert len(sandbox.requests) == -(-23 // size) + asks_once_more


def test_deletions_while_paging_hide_nothing_from_a_stable_walk(client, sandbox):
    everybody = sandbox.contacts.ids()

    def delete_what_was_read(request):
        if after := request.query.get("pageid"):
            for record_id in everybody[:5]:
                if record_id <= int(after) and record_id in sandbox.contacts.ids():
                    sandbox.contacts.delete(record_id)

    sandbox.on_request = delete_what_was_read

    assert walk(client, Query(page_size=5, is_stable=True)) == everybody


def test_empty_answer_has_no_next_page(client):
    nobody = ceql.parse("id = 999999999")

    for is_stable in (True, False):
        page = client.find(CONTACTS, Query(where=nobody, is_stable=is_stable))
        assert (page.records(), page.next_page_token) == ([], None)


def test_page_past_the_end_is_empty_and_the_last(client):
    page = client.find(CONTACTS, Query(page=9, page_size=10))

    assert (page.records(), page.next_page_token) == ([], None)


def test_never_more_than_a_thousand_are_asked_for(client, sandbox):
    client.find(CONTACTS, Query(page_size=5000))

    assert sandbox.requests[0].query["pagesize"] == "1000"


def test_without_a_link_header_a_stable_walk_goes_on_to_an_empty_page(client, sandbox):
    rows = [b'[{"id":3},{"id":8}]', b'[{"id":9}]', b"[]"]
    for body in rows:
        sandbox.behave(path="/company/contacts", status=200, body=body)

    assert walk(client, Query(page_size=2, is_stable=True)) == [3, 8, 9]
    assert [request.query.get("pageid") for request in sandbox.requests] == [None, "8", "9"]


@pytest.mark.parametrize(
    "body",
    ['[{"id":3},{"id":8}]', '[{"id":8},{"id":9}]', '[{"id":9},{"id":8}]', '[{"id":"x"}]', "[{}]", '[{"id":9},{}]'],
)
def test_server_that_does_not_continue_behind_the_id_is_no_endless_loop(client, sandbox, body):
    sandbox.behave(path="/company/contacts", status=200, body=body, times=None)

    with pytest.raises(UnusableAnswer, match=r"did not continue|order of their ids"):
        client.find(CONTACTS, Query(page_size=2, is_stable=True, page_token="8"))


def test_last_page_needs_no_ids(client, sandbox):
    sandbox.behave(path="/company/contacts", status=200, body='[{"name": "x"}]', headers={"Link": ""})

    assert client.find(CONTACTS, Query(is_stable=True)).next_page_token is None


def test_without_a_link_header_a_full_page_may_have_a_next_one(client, sandbox):
    sandbox.behave(path="/company/contacts", status=200, body='[{"id":3},{"id":8}]', times=2)

    assert client.find(CONTACTS, Query(page_size=2)).next_page_token == "2"
    assert client.find(CONTACTS, Query(page_size=3)).next_page_token is None


def test_short_page_with_a_next_link_is_not_the_last(client, sandbox):
    link = '<https://elsewhere.example/apis/3.0/company/contacts&pageSize=2,page=2>; rel="next", <https://x/>; rel=last'
    sandbox.behave(path="/company/contacts", status=200, body='[{"id":3}]', headers={"Link": link})

    assert client.find(CONTACTS, Query(page_size=25)).next_page_token == "2"


def test_links_are_never_called(client, sandbox):
    link = '<http://169.254.169.254/latest?pageId=8>; rel="next"'
    sandbox.behave(path="/company/contacts", status=200, body='[{"id":8}]', headers={"Link": link})

    walk(client, Query(page_size=1, is_stable=True, fields=("id",)))

    assert {request.endpoint for request in sandbox.requests} == {"/company/contacts"}


def test_page_token_of_somebody_else_is_refused(client, sandbox):
    with pytest.raises(InvalidQuery):
        client.find(CONTACTS, Query(is_stable=True, page_token="8&conditions=1"))
    with pytest.raises(InvalidQuery):
        client.find(CONTACTS, Query(is_stable=True, order_by="id"))
    assert sandbox.requests == []


def test_clock_of_a_page_is_the_providers(client, sandbox):
    sandbox.clock.freeze(datetime(2024, 5, 1, 12, tzinfo=UTC))

    assert client.find(CONTACTS, Query()).answered_at == datetime(2024, 5, 1, 12, tzinfo=UTC)


# Questions


@pytest.mark.parametrize("is_stable", [True, False])
def test_conditions_find_what_changed(client, sandbox, is_stable):
    moment = sandbox.clock.now() + timedelta(hours=1)
    sandbox.contacts.edit(7, at=moment, title="CFO")

    where = ceql.parse(f"lastUpdated>='{moment:%Y-%m-%dT%H:%M:%SZ}'")

    assert ids(client.find(CONTACTS, Query(where=where, is_stable=is_stable))) == [7]


def test_order_and_fields_reach_the_provider(client, sandbox):
    page = client.find(CONTACTS, Query(order_by="id desc", fields=("firstName", "company.name"), page_size=2))

    assert [set(record) for record in page.records()] <= [{"firstName", "company"}] * 2
    assert sandbox.requests[0].query["orderby"] == "id desc"
    assert sandbox.requests[0].query["fields"] == "firstName,company/name"


def test_stable_walk_asks_for_the_ids_it_follows(client, sandbox):
    assert walk(client, Query(page_size=5, is_stable=True, fields=("firstName",))) == sandbox.contacts.ids()
    assert {request.query["fields"] for request in sandbox.requests} == {"id,firstName"}


def test_numbered_pages_come_by_id_unless_asked_otherwise(client, sandbox):
    client.find(CONTACTS, Query())

    assert sandbox.requests[0].query["orderby"] == "id asc"


def test_email_finds_its_contact(client, sandbox):
    contact = next(
        record
        for record in map(sandbox.contacts.get, sandbox.contacts.ids())
        if any(item["communicationType"] == "Email" for item in record.get("communicationItems", []))
    )
    address = next(item["value"] for item in contact["communicationItems"] if item["communicationType"] == "Email")

    found = client.find(CONTACTS, Query(where=ceql.parse(f"email='{address}' AND id < 1000000")))

    assert contact["id"] in ids(found)
    assert len(ids(found)) < 23


@pytest.mark.parametrize("is_stable", [True, False])
def test_long_conditions_travel_in_the_body(client, sandbox, is_stable):
    names = ", ".join(f"'{'x' * 20}{number}'" for number in range(200))
    where = ceql.parse(f"firstName IN ({names}) OR id <= 12")

    found = ids(client.find(CONTACTS, Query(where=where, page_size=5, is_stable=is_stable)))

    assert found == sandbox.contacts.ids()[:5]
    assert (sandbox.requests[0].method, sandbox.requests[0].endpoint) == ("POST", "/company/contacts/search")
    assert sandbox.requests[0].query["pagesize"] == "5"


def test_long_stable_walk_by_search_sees_everybody(client, sandbox):
    where = ceql.parse("id IN (" + ", ".join(str(number) for number in range(1, 900)) + ")")

    assert walk(client, Query(where=where, page_size=4, is_stable=True)) == sandbox.contacts.ids()


def test_urls_stay_under_the_limit_of_the_provider(client, sandbox):
    for length in range(1500, 1800, 20):
        client.find(CONTACTS, Query(where=ceql.parse(f"firstName = '{'x' * length}'")))

    assert {request.method for request in sandbox.requests} == {"GET", "POST"}
    for request in sandbox.requests:
        if request.method == "GET":
            assert len(request.path) + len(request.query["conditions"]) < 1800


def test_count_is_of_the_whole_query(client, sandbox):
    assert client.count(CONTACTS, Query(where=ceql.parse(f"id > {sandbox.contacts.ids()[-4]}"))) == 3
    assert client.count(ORGANIZATIONS, Query(fields=("id",))) == 5


def test_count_of_a_long_query_is_refused_with_the_way_out(client, sandbox):
    with pytest.raises(InvalidQuery, match="without returnCount"):
        client.count(CONTACTS, Query(where=ceql.parse(f"firstName = '{'x' * 2000}'")))
    assert sandbox.requests == []


def test_highest_id_is_read_from_one_small_record(client, sandbox):
    assert client.highest_id(CONTACTS) == sandbox.contacts.ids()[-1]
    assert client.highest_id(INCIDENTS) == sandbox.tickets.ids()[-1]
    assert sandbox.requests[0].query == {"orderby": "id desc", "pagesize": "1", "fields": "id"}


def test_above_an_empty_resource_every_id_is_new():
    with Sandbox.start(contacts=0, companies=0, tickets=0) as sandbox:
        assert client_of(sandbox).highest_id(CONTACTS) == 0


def test_one_record(client, sandbox):
    record = client.get(CONTACTS, "7")

    assert record.fields["id"] == 7
    assert record.fields["firstName"] == sandbox.contacts.get(7)["firstName"]
    assert abs(record.answered_at - sandbox.clock.now()) < timedelta(seconds=5)


def test_record_that_is_not_there(client):
    with pytest.raises(RecordNotFound, match="/company/contacts/999999"):
        client.get(CONTACTS, "999999")


@pytest.mark.parametrize("record_id", ["../system/info", "7/notes", "", "７", "-1", "7?x", "1" * 30])
def test_what_can_be_no_id_is_not_asked_for(client, sandbox, record_id):
    with pytest.raises(RecordNotFound):
        client.get(CONTACTS, record_id)
    assert sandbox.requests == []


def test_errors_are_those_of_connectors_alone(client, sandbox):
    sandbox.behave(drop=True, times=None)

    for call in (
        client.check,
        lambda: client.find(CONTACTS, Query()),
        lambda: client.get(CONTACTS, "1"),
        lambda: client.count(CONTACTS, Query()),
        lambda: client.highest_id(CONTACTS),
    ):
        with pytest.raises(ConnectorError):
            call()
