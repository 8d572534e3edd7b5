from __future__ import annotations

import base64
import logging
from datetime import UTC, datetime

import pytest

from connectors.connection import Connection
from connectors.elements.connectwisecrmrest.definition import ELEMENT
from connectors.errors import CredentialsRefused, DestinationRefused, RequestRefused
from connectors.sandbox import Sandbox
from connectors.vendors.connectwise import EXAMPLE_URL, Login
from tests.connectors.vendors.clients import client_of

CLIENT_ID = "2b1e7a3c-6f5d-4f7e-9a55-0123456789ab"


def test_check_returns_the_clock_of_the_provider(client, sandbox):
    sandbox.clock.freeze(datetime(2024, 5, 1, 12, 0, 7, 900_000, tzinfo=UTC))

    assert client.check() == datetime(2024, 5, 1, 12, 0, 7, tzinfo=UTC)
    assert [request.endpoint for request in sandbox.requests] == ["/system/info"]


def test_trailing_slash_is_no_other_address(sandbox):
    client_of(sandbox, baseUrl=sandbox.base_url + "/ ").check()

    assert sandbox.requests[0].path == "/v4_6_release/apis/3.0/system/info"


def test_credentials_are_utf_8():
    login = Login(base_url=EXAMPLE_URL, company="Müller & Söhne", public_key="a+b", private_key="c:d€")

    name, _, encoded = login.headers()["Authorization"].partition(" ")

    assert name == "Basic"
    assert base64.b64decode(encoded).decode() == "Müller & Söhne+a+b:c:d€"


def test_record_model_is_pinned(client, sandbox):
    client.check()

    assert sandbox.requests[0].headers["accept"] == "application/vnd.connectwise.com+json; version=2025.1"


def test_client_id_comes_from_the_configuration_then_from_the_platform(settings):
    with Sandbox.start(contacts=1, companies=1, tickets=0, require_client_id=True) as sandbox:
        with pytest.raises(CredentialsRefused, match=r"connectwise\.clientID is not set"):
            client_of(sandbox).check()
        settings.CONNECTWISE_CLIENT_ID = CLIENT_ID
        client_of(sandbox).check()
        client_of(sandbox, **{"connectwise.clientID": CLIENT_ID.upper()}).check()

        assert [request.headers.get("clientid") for request in sandbox.requests] == [None, CLIENT_ID, CLIENT_ID.upper()]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "baseUrl is no URL"),
        ("api-na.myconnectwise.net", "baseUrl is no URL"),
        ("ftp://api-na.myconnectwise.net/v4_6_release/apis/3.0", "baseUrl is no URL"),
        ("https://[::1/v4_6_release/apis/3.0", "baseUrl is no URL"),
        ("https://api-na.myconnectwise.net", "must contain /apis/3.0 once"),
        ("https://api-na.myconnectwise.net/v4_6_release/apis/3.0/company", "must contain /apis/3.0 once"),
        ("https://h/v/apis/3.0/v4_6_release/apis/3.0", "must contain /apis/3.0 once"),
        ("https://h/v4_6_release/apis/3.0?x=1", "without [?] and #"),
        ("https://h/v4_6_release/apis/3.0#x", "without [?] and #"),
    ],
)
def test_unusable_base_url_is_refused_before_any_call(url, reason):
    with pytest.raises(RequestRefused, match=reason):
        Connection(element=ELEMENT, configuration={"baseUrl": url}).client()


def test_client_id_that_no_header_can_carry_is_refused():
    configuration = {"baseUrl": EXAMPLE_URL, "connectwise.clientID": "x\r\nX-Evil: 1"}

    with pytest.raises(RequestRefused, match=r"connectwise\.clientID"):
        Connection(element=ELEMENT, configuration=configuration).client()


def test_private_host_is_refused_by_the_name_of_the_field(settings, sandbox):
    settings.EGRESS_ALLOW_NETWORKS = []

    with pytest.raises(DestinationRefused, match=r"^baseUrl: "):
        client_of(sandbox).check()
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"private.key": "wrong"}, CredentialsRefused, "check company, public.key and private.key"),
        ({"public.key": "wrong"}, CredentialsRefused, "check company, public.key and private.key"),
        ({"company": "nobody"}, RequestRefused, "check baseUrl .* and the company id"),
    ],
)
def test_refused_sign_in_names_the_fields_and_shows_no_key(sandbox, change, error, words):
    client = client_of(sandbox, **change)

    with pytest.raises(error, match=words) as refused:
        client.check()

    shown = f"{refused.value!s} {refused.value!r} {refused.value.provider_message}"
    assert sandbox.private_key not in shown
    assert sandbox.public_key not in shown


def test_wrong_codebase_points_at_the_url(sandbox):
    client = client_of(sandbox, baseUrl=f"{sandbox.url}/v1_0/apis/3.0")

    with pytest.raises(RequestRefused, match="check baseUrl") as refused:
        client.check()

    assert refused.value.provider_message == "Cannot route. Codebase/company is invalid"


def test_nothing_at_the_address_hints_at_host_and_keys(client, sandbox):
    sandbox.behave(path="/system/info", status=404)

    with pytest.raises(RequestRefused, match="check the host and the codebase in baseUrl"):
        client.check()


def test_host_for_people_is_explained(client, sandbox):
    sandbox.behave(status=400, body={"code": "Security", "message": "SSL is required.", "errors": None})

    with pytest.raises(RequestRefused, match="begin with api-"):
        client.check()


def test_redirect_points_at_the_url(client, sandbox):
    sandbox.behave(status=302, body="moved", headers={"Location": "http://169.254.169.254/"})

    with pytest.raises(RequestRefused, match=r"^baseUrl: "):
        client.check()
    assert len(sandbox.requests) == 1


def test_provider_that_echoes_the_key_does_not_leak_it(client, sandbox, caplog):
    caplog.set_level(logging.DEBUG)
    sandbox.behave(status=401, body={"code": "Unauthorized", "message": f"Bad key {sandbox.private_key}!"})

    with pytest.raises(CredentialsRefused) as refused:
        client.check()

    assert refused.value.provider_message == "Bad key ********!"
    assert sandbox.private_key not in caplog.text
    assert sandbox.private_key not in repr(client._login)
