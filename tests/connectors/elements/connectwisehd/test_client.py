"""Which credentials are tried, in which order, and what is remembered of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from connectors import hub
from connectors.elements.connectwisehd.ways import WaysThatWorked
from connectors.errors import CredentialsRefused, RateLimited, RecordNotFound, RequestRefused
from connectors.sandbox import Sandbox
from tests.connectors.elements.connectwisehd.accounts import connection_to

CLIENT_ID = "2b1e7a3c-6f5d-4f7e-9a55-0123456789ab"
INTEGRATOR, KEYS = "integrator", None


@pytest.fixture
def sandbox_with_integrator() -> Iterator[Sandbox]:
    with Sandbox.start(
        contacts=3,
        companies=1,
        tickets=0,
        time_entries=0,
        integrator_username="acmehd",
        integrator_password="pa:ss wörd",
    ) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox_with_both() -> Iterator[Sandbox]:
    """The same two words are an integrator login and an API key pair."""
    with Sandbox.start(
        contacts=3, companies=1, tickets=0, time_entries=0, public_key="both", private_key="word",
        integrator_username="both", integrator_password="word",
    ) as sandbox:  # fmt: skip
        yield sandbox


def tried(sandbox: Sandbox) -> list[str | None]:
    """Which kind of credentials each request came with, since the last look."""
    kinds = [request.headers.get("x-cw-usertype") for request in sandbox.requests]
    sandbox.requests.clear()
    return kinds


def test_integrator_login_is_tried_first(sandbox_with_integrator):
    sandbox = sandbox_with_integrator
    connection = connection_to(sandbox, username="acmehd", password="pa:ss wörd")

    assert abs((connection.client().check() - sandbox.clock.now()).total_seconds()) < 5
    assert hub.count(connection, "contacts", where=None) == 3
    assert tried(sandbox) == [INTEGRATOR, INTEGRATOR]


def test_api_keys_are_found_by_the_second_try_and_remembered(sandbox, connection):
    connection.client().check()
    assert tried(sandbox) == [INTEGRATOR, KEYS]

    hub.find(connection, "contacts")
    list(hub.read_all(connection, "incidents", where=None))
    assert set(tried(sandbox)) == {KEYS}


def test_other_credentials_of_the_account_are_tried_anew(sandbox, connection):
    connection.client().check()
    tried(sandbox)

    with pytest.raises(CredentialsRefused):
        connection_to(sandbox, password="another").client().check()
    assert tried(sandbox) == [INTEGRATOR, KEYS]
    connection.client().check()
    assert tried(sandbox) == [KEYS]


def test_refusal_names_the_entries_and_says_that_both_ways_were_tried(sandbox, caplog):
    caplog.set_level(logging.DEBUG)
    sandbox.behave(status=401, body={"code": "Unauthorized", "message": "Bad word hunter2!"}, times=2)

    with pytest.raises(CredentialsRefused) as refused:
        connection_to(sandbox, password="hunter2").client().check()

    message = str(refused.value)
    for key in ("company", "username", "password"):
        assert f"helpdesk.connectwise.{key}" in message
    assert "both as an integrator login and as an API key pair" in message
    assert "connectwise.clientID is not set" in message
    assert refused.value.status == 401
    assert refused.value.provider_message == "Bad word ********!"
    assert "hunter2" not in caplog.text
    assert tried(sandbox) == [INTEGRATOR, KEYS]


def test_what_worked_and_is_refused_makes_way_for_the_other(sandbox_with_both):
    sandbox = sandbox_with_both
    connection = connection_to(sandbox)
    connection.client().check()
    assert tried(sandbox) == [INTEGRATOR]

    sandbox.behave(status=401)
    connection.client().check()
    assert tried(sandbox) == [INTEGRATOR, KEYS]
    connection.client().check()
    assert tried(sandbox) == [KEYS]

    sandbox.behave(status=401)
    connection.client().check()
    assert tried(sandbox) == [KEYS, INTEGRATOR]


def test_no_call_is_sent_three_times_and_the_next_begins_anew(sandbox, connection):
    connection.client().check()
    tried(sandbox)

    sandbox.behave(status=401, times=2)
    with pytest.raises(CredentialsRefused):
        hub.get(connection, "contacts", "7")
    assert tried(sandbox) == [KEYS, INTEGRATOR]

    assert hub.get(connection, "contacts", "7").fields["id"] == 7
    assert tried(sandbox) == [INTEGRATOR, KEYS]


@pytest.mark.parametrize(("status", "error"), [(404, RecordNotFound), (429, RateLimited)])
def test_only_401_is_a_reason_to_try_the_other_way(sandbox, connection, status, error):
    sandbox.behave(path="/company/contacts", status=status)

    with pytest.raises(error):
        hub.find(connection, "contacts")
    assert tried(sandbox) == [INTEGRATOR]


def test_refused_query_does_not_make_it_forget(sandbox, connection):
    connection.client().check()
    sandbox.behave(path="/company/contacts", status=400, body={"code": "InvalidObject", "message": "no"})
    with pytest.raises(RequestRefused):
        hub.find(connection, "contacts")
    tried(sandbox)

    connection.client().check()
    assert tried(sandbox) == [KEYS]


def test_client_id_comes_from_the_configuration_then_from_the_platform(settings):
    with Sandbox.start(contacts=1, companies=1, tickets=0, require_client_id=True) as sandbox:
        with pytest.raises(CredentialsRefused, match=r"connectwise\.clientID is not set"):
            connection_to(sandbox).client().check()
        settings.CONNECTWISE_CLIENT_ID = CLIENT_ID
        connection_to(sandbox).client().check()
        connection_to(sandbox, client_id=CLIENT_ID.upper()).client().check()

        sent = [request.headers.get("clientid") for request in sandbox.requests]
        assert list(dict.fromkeys(sent)) == [None, CLIENT_ID, CLIENT_ID.upper()]


@pytest.mark.parametrize("pasted", ["{}/", "{}/v2025_1/services/system_io/router/openrecord.rails?x=1#top", " {} "])
def test_address_may_be_pasted_from_a_browser(sandbox, pasted):
    connection_to(sandbox, url=pasted.format(sandbox.url)).client().check()

    assert {request.path for request in sandbox.requests} == {"/v4_6_release/apis/3.0/system/info"}


@pytest.mark.parametrize(
    "url", ["", "   ", "ftp://cw.example.com", "https://", "https:/cw.example.com", "https://[::1"]
)
def test_what_is_no_address_is_refused_before_any_call(sandbox, url):
    with pytest.raises(RequestRefused, match=r"^helpdesk\.connectwise\.server\.url is no address"):
        connection_to(sandbox, url=url).client()


def test_company_that_is_not_known_points_at_url_and_company(sandbox):
    with pytest.raises(RequestRefused, match=r"check helpdesk\.connectwise\.server\.url .* and the company id"):
        connection_to(sandbox, company="nobody").client().check()
    assert tried(sandbox) == [INTEGRATOR]


def test_what_is_remembered_shows_no_secret_and_has_an_end(sandbox, connection, nothing_is_remembered):
    connection.client().check()
    kept = repr(vars(nothing_is_remembered))
    assert "127.0.0.1" in kept
    assert sandbox.private_key not in kept
    assert sandbox.public_key not in kept

    few = WaysThatWorked(most=2)
    keys = [few.key("https://cw.example", word) for word in ("one", "two", "three")]
    assert len(set(keys)) == 3
    assert few.key("a", "bc") != few.key("ab", "c")
    assert WaysThatWorked().key("https://cw.example", "one") != keys[0]
    way = nothing_is_remembered.get(next(iter(nothing_is_remembered._ways)))
    assert way is not None
    for key in (keys[0], keys[1]):
        few.remember(key, way)
    assert few.get(keys[0])
    few.remember(keys[2], way)
    assert [few.get(key) is not None for key in keys] == [True, False, True]
