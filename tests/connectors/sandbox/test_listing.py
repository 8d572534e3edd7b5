"""Pages, their Link header, order and partial records."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox import Sandbox
from connectors.sandbox.listing import listing
from tests.connectors.sandbox.conftest import Caller

CONTACTS, TICKETS = "/company/contacts", "/service/tickets"
START = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture
def sandbox():
    """Forty contacts make several pages."""
    with Sandbox.start(contacts=40, companies=3, tickets=10) as running:
        yield running


def links(header: str) -> dict[str, dict[str, list[str]]]:
    """Relation -> query of its URL."""
    return {rel: parse_qs(urlsplit(url).query) for url, rel in re.findall(r'<([^>]*)>; rel="(\w+)"', header)}


def page_links(header: str) -> dict[str, int]:
    return {relation: int(query["page"][0]) for relation, query in links(header).items()}


def test_list_is_a_bare_array_by_id_of_25(sandbox, call):
    answer = call.get(CONTACTS)
    assert [record["id"] for record in answer.json()] == sandbox.contacts.ids()[:25]
    assert call.get(CONTACTS, conditions="id < 0").json() == []


def test_record_in_a_list_is_the_record(sandbox, call):
    first = sandbox.contacts.ids()[0]
    assert call.get(CONTACTS).json()[0] == call.get(f"{CONTACTS}/{first}").json() == sandbox.contacts.get(first)


@pytest.mark.parametrize("size", ["0", "1001", "-1", "ten", "1.5", "²"])
def test_page_size_outside_1_to_1000_is_refused(call, size):
    assert call.get(CONTACTS, pageSize=size).status_code == 400


@pytest.mark.parametrize("parameters", [{"page": "0"}, {"page": "x"}, {"page": "-2"}])
def test_page_that_is_no_number_from_1_is_refused(call, parameters):
    assert call.get(CONTACTS, **parameters).status_code == 400


def test_largest_page_is_1000():
    with Sandbox.start(contacts=1001, companies=1, tickets=1) as large:
        url = f"{large.base_url}{CONTACTS}"
        call = Caller(large)
        assert len(call.get(url, pageSize=1000).json()) == 1000
        assert len(call.get(url, pageSize=1000, page=2).json()) == 1


def test_links_name_the_pages_there_are(call):
    def named(page: int) -> dict[str, int]:
        return page_links(call.get(CONTACTS, pageSize=10, page=page).headers.get("Link", ""))

    assert named(1) == {"next": 2, "last": 4}
    assert named(2) == {"next": 3, "last": 4, "first": 1, "prev": 1}
    assert named(4) == {"first": 1, "prev": 3}
    assert named(5) == {"first": 1, "prev": 4}
    assert named(9) == {"first": 1}


def test_no_link_header_where_everything_fits_on_one_page(call):
    assert "Link" not in call.get(CONTACTS, pageSize=1000).headers
    assert "Link" not in call.get(CONTACTS, pageSize=40).headers


def test_page_past_the_end_is_empty(call):
    assert call.get(CONTACTS, pageSize=10, page=5).json() == []


def test_links_can_be_followed_to_the_end_with_the_same_question(sandbox, call):
    found: list[int] = []
    url = (
        f"{sandbox.base_url}{CONTACTS}?conditions=id%20in%20(1,2,3,4,5)%20and%20id%20%3E%201&pageSize=2&orderBy=id desc"
    )
    while url:
        answer = call.get(url)
        found += [record["id"] for record in answer.json()]
        header = answer.headers.get("Link", "")
        following = re.search(r'<([^>]*)>; rel="next"', header)
        url = following[1] if following else ""
    assert found == [5, 4, 3, 2]


def test_deletion_shifts_later_rows_of_numbered_pages(sandbox, call):
    first = call.ids(CONTACTS, pageSize=10)
    sandbox.contacts.delete(first[0])
    second = call.ids(CONTACTS, pageSize=10, page=2)
    assert sandbox.contacts.ids()[9] not in first + second


# Forward-only

FORWARD = {"pagination-type": "forward-only"}


def test_forward_only_pages_follow_the_ids_and_end_with_an_empty_link(sandbox, call):
    found: list[int] = []
    page_id = ""
    while True:
        answer = call.get(CONTACTS, headers=FORWARD, pageSize=15, pageId=page_id)
        found += [record["id"] for record in answer.json()]
        if answer.headers["Link"] == "":
            break
        (relation, query), *others = links(answer.headers["Link"]).items()
        assert relation == "next"
        assert not others
        assert query["pageId"] == [str(found[-1])]
        page_id = query["pageId"][0]
    assert found == sandbox.contacts.ids()


def test_forward_only_link_is_empty_when_the_last_page_is_full(call):
    assert call.get(CONTACTS, headers=FORWARD, pageSize=40).headers["Link"] == ""
    assert call.get(CONTACTS, headers=FORWARD, conditions="id < 0").headers["Link"] == ""


def test_forward_only_ignores_page_and_refuses_an_order(call):
    assert call.get(CONTACTS, headers=FORWARD, pageSize=5, page=3).json()[0]["id"] == 1
    assert call.get(CONTACTS, headers=FORWARD, orderBy="id asc").status_code == 400
    assert call.get(CONTACTS, headers=FORWARD, pageId="x").status_code == 400


def test_forward_only_takes_conditions(sandbox, call):
    answer = call.get(
        CONTACTS, headers=FORWARD, conditions="id > 10 and lastUpdated > [2020-01-01]", pageSize=5, pageId=12
    )
    expected = [record_id for record_id in sandbox.contacts.ids() if record_id > 12][:5]
    assert [record["id"] for record in answer.json()] == expected


def test_deletion_and_edit_shift_no_forward_only_page(sandbox, call):
    first = [record["id"] for record in call.get(CONTACTS, headers=FORWARD, pageSize=10).json()]
    sandbox.contacts.delete(first[0])
    sandbox.contacts.edit(first[5])
    answer = call.get(CONTACTS, headers=FORWARD, pageSize=10, pageId=first[-1])
    assert [record["id"] for record in answer.json()] == sandbox.contacts.ids()[9:19]


# Order


def test_order_by_stamp_breaks_ties_by_the_next_field(sandbox, call):
    ids = sandbox.contacts.ids()
    for record_id in ids:
        sandbox.contacts.edit(record_id, at=START + timedelta(seconds=record_id % 3))

    def by(sign: int) -> list[int]:
        return sorted(ids, key=lambda record_id: (record_id % 3, sign * record_id))

    assert call.ids(CONTACTS, orderBy="lastUpdated asc, id asc") == by(1)
    assert call.ids(CONTACTS, orderBy="LASTUPDATED, ID DESC") == by(-1)
    assert call.ids(CONTACTS, orderBy="lastUpdated desc") == sorted(ids, key=lambda one: (-(one % 3), one))
    assert call.ids(CONTACTS, orderBy="id desc") == ids[::-1]


def test_order_by_reference_puts_missing_ones_first_and_ignores_case(sandbox, call):
    for record_id in sandbox.contacts.ids():
        sandbox.contacts.delete(record_id)
    names = ["beta", None, "Alpha"]
    made = [
        sandbox.contacts.add(company={"id": place, "name": name} if name else None)["id"]
        for place, name in enumerate(names, start=1)
    ]
    assert call.ids(CONTACTS, orderBy="company/name asc") == [made[1], made[2], made[0]]
    assert call.ids(CONTACTS, orderBy="company/name desc") == [made[0], made[2], made[1]]


@pytest.mark.parametrize("order", ["nonsense", "id up", "id asc desc", "company asc", "communicationItems", "id; drop"])
def test_order_that_cannot_be_is_refused(call, order):
    assert call.get(CONTACTS, orderBy=order).status_code == 400


# Partial records


def test_fields_ask_for_parts(sandbox, call):
    record = sandbox.contacts.get(1)
    (found,) = call.get(CONTACTS, conditions="id=1", fields="ID, company/Name,_info/lastUpdated").json()
    assert found == {
        "id": 1,
        "company": {"name": record["company"]["name"]},
        "_info": {"lastUpdated": record["_info"]["lastUpdated"]},
    }
    assert call.get(f"{CONTACTS}/1", fields="id,communicationItems/value").json() == {
        "id": 1,
        "communicationItems": [{"value": item["value"]} for item in record["communicationItems"]],
    }


def test_info_comes_with_fields_only_if_asked_for(call):
    assert call.get(f"{CONTACTS}/1", fields="id").json() == {"id": 1}
    assert "lastUpdated" in call.get(f"{CONTACTS}/1", fields="id,_info").json()["_info"]


def test_fields_that_are_not_there_are_refused(call):
    assert call.get(CONTACTS, fields="id,nonsense").status_code == 400
    assert call.get(f"{CONTACTS}/1", fields="company/nonsense").status_code == 400


# Counting, searching, changing


def test_search_takes_its_conditions_from_the_body(sandbox, call):
    long = "id in (" + ",".join(str(number) for number in range(5, 4000)) + ")"
    answer = call("POST", f"{CONTACTS}/search?pageSize=3&page=2", json={"conditions": long, "orderBy": "id asc"})
    wanted = [record_id for record_id in sandbox.contacts.ids() if record_id >= 5]
    assert [record["id"] for record in answer.json()] == wanted[3:6]
    assert call("POST", f"{CONTACTS}/search", json={"conditions": "nonsense = 1"}).status_code == 400
    assert call("POST", f"{CONTACTS}/search", json=["id = 1"]).status_code == 400


def test_every_change_shows_in_the_next_answer_to_the_same_question(sandbox, call):
    def read() -> list[tuple[int, str]]:
        return [(one["id"], one.get("title", "")) for one in call.get(CONTACTS, conditions="id < 4").json()]

    read()
    sandbox.contacts.edit(2, title="edited")
    assert (2, "edited") in read()
    sandbox.contacts.delete(2)
    assert 2 not in dict(read())
    sandbox.contacts.add(id=2, title="back")
    assert (2, "back") in read()


@given(
    edits=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 5)), max_size=12),
    deleted=st.sets(st.integers(1, 12), max_size=4),
    since=st.integers(-1, 6),
    after=st.integers(0, 13),
)
def test_bounds_leave_out_no_record_whatever_was_edited(edits, deleted, since, after):
    contacts = Sandbox(contacts=12, companies=0, tickets=0).contacts
    stamps = {row.record["id"]: row.moment for row in contacts.rows()}
    for record_id, second in edits:
        stamps[record_id] = START + timedelta(seconds=second)
        contacts.edit(record_id, at=stamps[record_id])
    for record_id in deleted:
        contacts.delete(record_id)
        del stamps[record_id]
    moment = START + timedelta(seconds=since)
    text = f"lastUpdated >= [{moment:%Y-%m-%dT%H:%M:%SZ}]"

    parameters = {"conditions": text, "fields": "id", "pagesize": "1000", "pageid": str(after)}
    page = listing(contacts, parameters, is_forward_only=True, url="", query="")

    expected = [record_id for record_id in sorted(stamps) if stamps[record_id] >= moment and record_id > after]
    assert [int(number) for number in re.findall(rb"\d+", page.body)] == expected
