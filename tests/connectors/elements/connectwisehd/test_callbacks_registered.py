"""Our callbacks at the provider, against a sandbox: finding, making, re-arming and taking back."""

from __future__ import annotations

import json

import pytest

from connectors.callbacks import RegisteredCallback, WantedCallback
from connectors.errors import (
    AlreadyRegistered,
    ConnectorError,
    CredentialsRefused,
    PermissionRefused,
    RateLimited,
    RecordNotFound,
    RequestRefused,
    TryLater,
    UnusableAnswer,
)
from connectors.sandbox import Sandbox
from connectors.vendors.connectwise_callback_types import LEVELS, OWNER, everything_of
from connectors.vendors.connectwise_registrations import MOST_PAGES, PATH
from tests.connectors.elements.connectwisehd.bodies import CALLBACKS
from tests.connectors.elements.connectwisehd.bodies import connection as connection_to

TOKEN = "q7_sJx-Zt0aWm5cYvB1n"
URL = f"http://127.0.0.1:9/elements/api-v2/events/connectwisehd/{TOKEN}?recordId="
TICKETS = everything_of("ticket")


@pytest.fixture(scope="module")
def shared_sandbox():
    with Sandbox.start(
        contacts=1, companies=1, tickets=1, time_entries=1, integrator_username="us", integrator_password="secret"
    ) as running:
        yield running


@pytest.fixture
def sandbox(shared_sandbox):
    yield shared_sandbox
    shared_sandbox.behave_well()
    shared_sandbox.requests.clear()
    for record_id in shared_sandbox.registrations.ids():
        shared_sandbox.registrations.delete(record_id)


@pytest.fixture
def connection(sandbox):
    # The way that is tried first, so that every call is one request.
    return connection_to(sandbox.url, username=sandbox.integrator_username, password=sandbox.integrator_password)


def register(connection, wanted: WantedCallback = TICKETS, *, url: str = URL, description: str = "Acme"):
    return CALLBACKS.register(connection, wanted, url=url, description=description)


def registered(connection, marker: str = TOKEN) -> list[RegisteredCallback]:
    return CALLBACKS.registered(connection, marker=marker)


def requests_of(sandbox: Sandbox, method: str) -> list:
    return [one for one in sandbox.requests if one.method == method and one.endpoint.startswith(PATH)]


# Making


def test_a_registration_is_made_as_it_is_wanted_and_found_again(connection, sandbox):
    made = register(connection, WantedCallback(type="ticket", level="board", object_id="12"))

    assert registered(connection) == [made]
    assert made.is_active
    (post,) = requests_of(sandbox, "POST")
    assert json.loads(post.body) == {
        "description": "Acme",
        "url": URL,
        "objectId": 12,
        "type": "ticket",
        "level": "board",
        "inactiveFlag": False,
    }
    assert post.headers["content-type"] == "application/json"
    assert sandbox.registrations.get(int(made.provider_id))["url"] == URL


@pytest.mark.parametrize("callback_type", LEVELS)
def test_the_provider_takes_every_type_and_level(callback_type, connection):
    wanted = {
        WantedCallback(type=callback_type, level=level, object_id="1" if level == OWNER else "7")
        for level in LEVELS[callback_type]
    }

    made = {register(connection, one) for one in wanted}

    assert {one.wanted for one in made} == wanted
    assert set(registered(connection)) == made


def test_a_long_description_is_cut(connection, sandbox):
    made = register(connection, description="Büro " * 40)

    assert sandbox.registrations.get(int(made.provider_id))["description"] == ("Büro " * 40)[:100]


def test_a_second_equal_one_is_told_apart_from_other_refusals(connection):
    register(connection)

    with pytest.raises(AlreadyRegistered) as refused:
        register(connection)

    assert "matching callback entry already exists" in refused.value.provider_message
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "wanted, url",
    [
        (WantedCallback(type="ticket", level="territory", object_id="1"), URL),
        (WantedCallback(type="tickets", level="owner", object_id="1"), URL),
        (TICKETS, "no url"),
    ],
)
def test_what_the_provider_does_not_take_is_refused(wanted, url, connection):
    with pytest.raises(RequestRefused) as refused:
        register(connection, wanted, url=url)

    assert not isinstance(refused.value, AlreadyRegistered)
    assert refused.value.provider_message


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":"InvalidObject","message":"m","errors":[{"code":"ObjectExists","message":"m"}]}',
        b'{"code":"ObjectExists","message":"m","errors":null}',
        b'{"code":"InvalidObject","errors":[null,7,{"code":"InvalidField"},{"code":"ObjectExists"}]}',
    ],
)
@pytest.mark.parametrize("status", [400, 409])
def test_the_codes_of_the_refusal_decide(status, body, connection, sandbox):
    sandbox.behave(path=PATH, method="POST", status=status, body=body)

    with pytest.raises(AlreadyRegistered):
        register(connection)


def test_the_words_of_a_refusal_decide_nothing(connection, sandbox):
    body = {"code": "InvalidObject", "message": "A matching callback entry already exists (ObjectExists)"}
    sandbox.behave(path=PATH, method="POST", status=400, body=body)

    with pytest.raises(RequestRefused) as refused:
        register(connection)

    assert type(refused.value) is RequestRefused


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":null}', b'{"id":"x"}', b'{"id":true}', b'{"id":1'])
def test_an_answer_without_an_id_leaves_open_what_was_made(body, connection, sandbox):
    sandbox.behave(path=PATH, method="POST", status=201, body=body)

    with pytest.raises(UnusableAnswer):
        register(connection)


def test_any_success_counts(connection, sandbox):
    sandbox.behave(path=PATH, method="POST", status=200, body={"id": "26559", "inactiveFlag": True})

    made = register(connection)

    assert made == RegisteredCallback(provider_id="26559", wanted=TICKETS, url=URL, is_active=False)


# Finding


def test_only_those_with_the_marker_are_found_disabled_ones_too(connection, sandbox):
    mine = register(connection)
    register(connection, url=URL.replace(TOKEN, "another"))
    # A search that passes over letter case and takes _ for any letter would find these, too.
    register(connection, url=URL.replace(TOKEN, TOKEN.swapcase()))
    register(connection, url=URL.replace(TOKEN, TOKEN.replace("_", "x")))
    sandbox.registrations.edit(int(mine.provider_id), inactiveFlag=True)

    (found,) = registered(connection)

    assert (found.provider_id, found.is_active) == (mine.provider_id, False)
    assert requests_of(sandbox, "GET")[-1].query["conditions"] == f'url contains "{TOKEN}"'


def test_what_a_search_finds_too_much_is_passed_over(connection, sandbox):
    other = {"id": 2, "url": URL.replace(TOKEN, TOKEN.lower()), "type": "ticket", "level": "owner", "objectId": 1}
    sandbox.behave(path=PATH, method="GET", body=[other, {**other, "id": 3, "url": URL}])

    assert [one.provider_id for one in registered(connection)] == ["3"]


@pytest.mark.parametrize(
    "entry, wanted, is_active",
    [
        ({"type": "Ticket", "level": "Owner", "objectId": 0}, TICKETS, True),
        ({"type": "TICKET", "level": "owner"}, TICKETS, True),
        ({"type": "ticket", "level": "owner", "objectId": "1", "inactiveFlag": "false"}, TICKETS, True),
        ({"type": "ticket", "level": "owner", "objectId": 1, "inactiveFlag": "True"}, TICKETS, False),
        ({"type": "ticket", "level": "owner", "objectId": 1, "inactiveFlag": True}, TICKETS, False),
        ({"type": "ticket", "level": "owner", "objectId": 1, "inactiveFlag": None}, TICKETS, True),
        (
            {"type": "Opportunity", "level": "StatusId", "objectId": "012"},
            WantedCallback(type="opportunity", level="statusid", object_id="12"),
            True,
        ),
        ({}, WantedCallback(type="", level="", object_id=""), True),
        ({"type": 7, "level": None, "objectId": {}}, WantedCallback(type="", level="", object_id=""), True),
    ],
)
def test_entries_of_any_version_are_read(entry, wanted, is_active, connection, sandbox):
    sandbox.behave(path=PATH, method="GET", body=[{"id": 5, "url": URL, **entry}])

    assert registered(connection) == [RegisteredCallback(provider_id="5", wanted=wanted, url=URL, is_active=is_active)]


@pytest.mark.parametrize("entry", [{}, {"id": 5}, {"url": URL}, {"id": None, "url": URL}, {"id": 5, "url": 7}])
def test_an_entry_that_can_be_nobodys_is_passed_over(entry, connection, sandbox):
    sandbox.behave(path=PATH, method="GET", body=[entry])

    assert registered(connection) == []


def test_all_pages_are_read(connection, sandbox):
    for number in range(1001):
        sandbox.registrations.add(url=URL.replace("127.0.0.1", f"h{number}.example"))

    assert len(registered(connection)) == 1001
    assert [one.query["page"] for one in requests_of(sandbox, "GET")] == ["1", "2"]
    assert {one.query["pagesize"] for one in requests_of(sandbox, "GET")} == {"1000"}


def test_short_pages_that_have_a_next_one_are_not_the_last(connection, sandbox):
    entry = {"url": URL, "type": "ticket", "level": "owner", "objectId": 1}
    link = f'<{sandbox.url}/x?page=2,3>; rel="next", <{sandbox.url}/x?page=2>; rel="last"'
    sandbox.behave(path=PATH, method="GET", body=[{**entry, "id": 1}], headers={"Link": link})
    sandbox.behave(path=PATH, method="GET", body=[{**entry, "id": 2}])

    assert [one.provider_id for one in registered(connection)] == ["1", "2"]


def test_pages_without_end_are_unusable(connection, sandbox):
    link = f'<{sandbox.url}/x>; rel="next"'
    sandbox.behave(path=PATH, method="GET", times=None, body=[{"id": 1, "url": URL}], headers={"Link": link})

    with pytest.raises(UnusableAnswer):
        registered(connection)

    assert len(requests_of(sandbox, "GET")) == MOST_PAGES


@pytest.mark.parametrize("body", [b"", b"{}", b"[7]", b"<html>", b'[{"id":1', b"[" * 50_000, b'[{"url":"\xff"}]'])
def test_what_is_no_list_of_entries_is_unusable(body, connection, sandbox):
    sandbox.behave(path=PATH, method="GET", body=body)

    with pytest.raises(UnusableAnswer):
        registered(connection)


@pytest.mark.parametrize("marker", ["", 'x" or url contains "', "%", "a b", "ä", "x\n"])
def test_a_marker_cannot_become_a_part_of_the_condition(marker, connection, sandbox):
    with pytest.raises(ValueError, match="marker"):
        registered(connection, marker)

    assert sandbox.requests == []


# Re-arming and taking back


def test_a_disabled_one_is_armed_again(connection, sandbox):
    made = register(connection)
    sandbox.registrations.edit(int(made.provider_id), inactiveFlag=True)

    CALLBACKS.rearm(connection, provider_id=made.provider_id)

    assert registered(connection) == [made]
    (patch,) = requests_of(sandbox, "PATCH")
    assert json.loads(patch.body) == [{"op": "replace", "path": "inactiveFlag", "value": False}]


def test_arming_one_that_is_gone_says_so(connection):
    with pytest.raises(RecordNotFound):
        CALLBACKS.rearm(connection, provider_id="999999")


def test_one_is_taken_back_once_and_may_be_gone_already(connection, sandbox):
    made = register(connection)

    CALLBACKS.remove(connection, provider_id=made.provider_id)
    CALLBACKS.remove(connection, provider_id=made.provider_id)

    assert registered(connection) == []
    assert len(sandbox.registrations) == 0
    assert len(requests_of(sandbox, "DELETE")) == 2


def test_a_page_that_is_not_there_does_not_prove_that_a_registration_is_gone(connection, sandbox):
    made = register(connection)
    sandbox.behave(path=PATH, method="DELETE", status=404, body="<html>Not found</html>")
    sandbox.behave(path="/system/info", status=404, body="<html>Not found</html>")

    with pytest.raises(RequestRefused):
        CALLBACKS.remove(connection, provider_id=made.provider_id)


def test_a_bare_404_of_a_server_that_answers_is_enough(connection, sandbox):
    sandbox.behave(path=PATH, method="DELETE", status=404, body=b"")

    CALLBACKS.remove(connection, provider_id="7")


@pytest.mark.parametrize("provider_id", ["", "x", "1/../2", "-1", "1?x", "١"])
def test_an_id_is_a_number_and_no_path(provider_id, connection, sandbox):
    with pytest.raises(RecordNotFound):
        CALLBACKS.rearm(connection, provider_id=provider_id)

    CALLBACKS.remove(connection, provider_id=provider_id)

    assert requests_of(sandbox, "PATCH") == requests_of(sandbox, "DELETE") == []


# Trouble


@pytest.mark.parametrize(
    "status, error",
    [(401, CredentialsRefused), (403, PermissionRefused), (429, RateLimited), (500, TryLater), (503, TryLater)],
)
@pytest.mark.parametrize(
    "act",
    [
        registered,
        register,
        lambda connection: CALLBACKS.rearm(connection, provider_id="7"),
        lambda connection: CALLBACKS.remove(connection, provider_id="7"),
    ],
    ids=["registered", "register", "rearm", "remove"],
)
def test_trouble_comes_as_the_errors_of_connectors(act, status, error, connection, sandbox):
    sandbox.behave(path=PATH, times=None, status=status)

    with pytest.raises(ConnectorError) as raised:
        act(connection)

    assert type(raised.value) is error


@pytest.mark.parametrize("is_integrator", [True, False])
def test_both_ways_in_may_register(is_integrator):
    with Sandbox.start(
        contacts=1, companies=1, tickets=1, integrator_username="integrator", integrator_password="integratorPassword"
    ) as sandbox:
        pair = ("integrator", "integratorPassword") if is_integrator else (sandbox.public_key, sandbox.private_key)
        connection = connection_to(sandbox.url, username=pair[0], password=pair[1])

        made = register(connection)

        assert registered(connection) == [made]
        CALLBACKS.rearm(connection, provider_id=made.provider_id)
        CALLBACKS.remove(connection, provider_id=made.provider_id)
        assert len(sandbox.registrations) == 0
