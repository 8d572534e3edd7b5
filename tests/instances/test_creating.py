"""POST /instances: what is accepted, what is refused and why, and that a refusal leaves nothing behind."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from instances import signing_keys
from instances.configuration import connection_of, pollers_of
from instances.encryption import fingerprint
from instances.models import Instance
from instances.signals import instance_configured
from tests.api_client import Api

KEY = "connectwisecrmrest"
DOCUMENTED = Path(__file__).parent / "payloads" / "documented_poller_configuration.json"


def test_created_instance_has_the_members_that_clients_need(api, body, owner):
    answer = api.post("/instances", body | {"providerData": {"code": "abc", "debug": True}})

    assert answer.status_code == 200
    created = answer.json()
    assert isinstance(created["id"], int)
    assert created["name"] == "Acme"
    assert created["tags"] == ["Acme"]
    assert created["valid"] is True
    assert created["disabled"] is False
    assert created["eventsEnabled"] is False
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", created["token"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created["createdDate"])
    assert created["user"] == {"id": owner.pk, "emailAddress": owner.email, "firstName": "Ada", "lastName": ""}
    assert (created["element"]["key"], created["element"]["hub"]) == (KEY, "crm")
    assert created["elementId"] == created["element"]["id"]
    assert "configuration" not in created["element"]
    assert "providerData" not in created
    assert "eventsNotificationCallbackUrl" not in created
    assert api.get(f"/instances/{created['id']}").json() == created


def test_configuration_has_every_key_as_text_or_null_with_secrets_masked(api, body, credentials):
    body["configuration"] |= {"event.notification.signature.key": "sign-me", "oauth.api.secret": "x", "password": "y"}
    configuration = api.post("/instances", body).json()["configuration"]

    declared = [entry["key"] for entry in api.get(f"/elements/{KEY}/configuration").json()]
    assert set(declared) <= set(configuration)
    assert all(value is None or isinstance(value, str) for value in configuration.values())
    for secret in ("private.key", "event.notification.signature.key", "oauth.api.secret", "password"):
        assert configuration[secret] == "********"
    for shown in ("baseUrl", "company", "public.key"):
        assert configuration[shown] == credentials[shown]
    assert configuration["filter.response.nulls"] == "true"
    assert configuration["event.notification.enabled"] == "false"
    assert configuration["event.notification.callback.url"] is None
    assert configuration["event.notification.subscription.id"] is None


def test_element_is_named_by_the_path_as_well(api, body):
    element = body.pop("element")
    element_id = api.get(f"/elements/{element['key']}").json()["id"]

    for name in (element["key"], element_id):
        answer = api.post(f"/elements/{name}/instances", body)
        assert answer.status_code == 200
        assert answer.json()["element"]["id"] == element_id


def test_element_is_named_by_id_in_the_body(api, body):
    assert api.post("/instances", body | {"element": {"id": 3012}}).json()["element"]["key"] == KEY


@pytest.mark.parametrize("as_text", [False, True], ids=["object", "JSON string"])
def test_documented_poller_configuration_is_taken_as_it_is_written(api, body, as_text):
    documented = json.loads(DOCUMENTED.read_text())
    body["configuration"] |= {
        "event.notification.enabled": True,
        "event.notification.callback.url": "http://mycoolapp.com",
        "event.poller.refresh_interval": "15",
        "event.poller.configuration": json.dumps(documented) if as_text else documented,
    }
    created = api.post("/instances", body)

    assert created.status_code == 200
    shown = created.json()
    assert json.loads(shown["configuration"]["event.poller.configuration"]) == documented
    assert shown["configuration"]["event.poller.refresh_interval"] == "15"
    assert shown["eventsEnabled"] is True
    assert shown["eventsNotificationCallbackUrl"] == "http://mycoolapp.com"
    assert list(pollers_of(Instance.objects.get())) == ["contacts"]


def test_without_a_poller_configuration_the_element_s_own_holds(api, body):
    body["configuration"]["event.notification.enabled"] = "true"
    created = api.post("/instances", body).json()

    assert Instance.objects.get().poller_configuration is None
    assert set(pollers_of(Instance.objects.get())) == {"contacts", "incidents", "organizations"}
    assert set(json.loads(created["configuration"]["event.poller.configuration"])) == {
        "contacts",
        "incidents",
        "organizations",
    }


def test_older_forms_choose_among_the_resources(api, body):
    body["configuration"] |= {"event.notification.enabled": True, "event.poller.urls": "contacts|incidents"}
    first = api.post("/instances", body).json()
    body["configuration"]["event.objects"] = "incidents"
    second = api.post("/instances", body).json()

    assert list(pollers_of(Instance.objects.get(pk=first["id"]))) == ["contacts", "incidents"]
    assert list(pollers_of(Instance.objects.get(pk=second["id"]))) == ["incidents"]
    assert first["configuration"]["event.poller.configuration"] is None
    assert api.put(f"/instances/{first['id']}", first).status_code == 200
    assert list(pollers_of(Instance.objects.get(pk=first["id"]))) == ["contacts", "incidents"]


def test_other_spellings_are_stored_under_one_key(api, body, sandbox):
    body["configuration"]["baseURL"] = body["configuration"].pop("baseUrl")

    configuration = api.post("/instances", body).json()["configuration"]

    assert configuration["baseUrl"] == sandbox.base_url
    assert "baseURL" not in configuration


def test_unknown_keys_are_kept_as_text_out_of_plain_sight(api, body):
    body["configuration"] |= {
        "document.tagging": False,
        "our.own.number": 7,
        "our.own.object": {"a": [1]},
        "our.own.null": None,
        "our.own.text": "canary-of-the-unknown",
    }
    configuration = api.post("/instances", body).json()["configuration"]

    assert configuration["document.tagging"] == "false"
    assert configuration["our.own.number"] == "7"
    assert json.loads(configuration["our.own.object"]) == {"a": [1]}
    assert configuration["our.own.null"] is None
    assert configuration["our.own.text"] == "canary-of-the-unknown"
    assert "canary-of-the-unknown" not in str(Instance.objects.values().get())


def test_secrets_lie_encrypted_and_the_token_hashed(api, body, sandbox):
    body["configuration"]["event.notification.signature.key"] = "canary-signature"
    token = api.post("/instances", body).json()["token"]

    row = str(Instance.objects.values().get())
    assert sandbox.private_key not in row
    assert "canary-signature" not in row
    assert token not in row
    instance = Instance.objects.get(token_hash=fingerprint(token))
    assert connection_of(instance).configuration["private.key"] == sandbox.private_key
    assert [key.text for key in signing_keys.read(instance.signing_keys_encrypted)] == ["canary-signature"]


@pytest.mark.parametrize("key", ["", None])
def test_empty_signature_key_means_no_signature(api, body, key):
    body["configuration"]["event.notification.signature.key"] = key

    assert api.post("/instances", body).json()["configuration"]["event.notification.signature.key"] is None
    assert Instance.objects.get().signing_keys_encrypted == ""


def test_name_and_tags_lose_their_html(api, body):
    created = api.post("/instances", body | {"name": '<a href="x">ada@example.com</a>', "tags": ["<b>one</b>", "two"]})

    assert created.json()["name"] == "ada@example.com"
    assert created.json()["tags"] == ["one", "two"]


def test_tags_are_the_name_unless_they_are_given(api, body):
    assert api.post("/instances", body | {"name": "<i>Acme</i>"}).json()["tags"] == ["Acme"]
    assert api.post("/instances", body | {"tags": []}).json()["tags"] == []
    assert api.post("/instances", body | {"tags": [{"id": 1, "name": "old"}]}).json()["tags"] == ["old"]


def test_same_name_and_credentials_make_a_second_instance(api, body):
    first, second = api.post("/instances", body).json(), api.post("/instances", body).json()

    assert first["id"] != second["id"]
    assert first["token"] != second["token"]


def test_objects_are_added_for_those_who_ask(api, body):
    created = api.post("/instances", body | {"retrieveObjectsAfterInstantiation": True}).json()

    assert {"name": "contacts", "vendorName": "contacts", "type": "ceCanonical"} in created["objects"]
    assert len({one["name"] for one in created["objects"]}) == len(created["objects"])


def test_own_receiver_is_kept_as_a_callback_url(api, body, settings):
    settings.PUBLIC_URL = "https://switchyard.example.com"
    url = "https://switchyard.example.com/elements/api-v2/events/connectwisecrmrest"
    body["configuration"] |= {"event.notification.enabled": True, "event.notification.callback.url": url}

    assert api.post("/instances", body).json()["eventsNotificationCallbackUrl"] == url


@pytest.mark.parametrize(
    ("sent", "stored"),
    [(1, "1"), ("1", "1"), (0.5, "0.5"), ("0.5", "0.5"), (999999999, "999999999"), (" 15.50 ", "15.5")],
)
def test_refresh_interval_is_a_number_or_a_string_without_upper_limit(api, body, sent, stored):
    body["configuration"]["event.poller.refresh_interval"] = sent

    created = api.post("/instances", body)

    assert created.status_code == 200
    assert created.json()["configuration"]["event.poller.refresh_interval"] == stored


def test_longer_intervals_than_can_be_kept_are_not_refused(api, body):
    body["configuration"]["event.poller.refresh_interval"] = 10**18

    assert api.post("/instances", body).status_code == 200


def test_floor_of_the_interval_is_a_setting(api, body, settings):
    body["configuration"]["event.poller.refresh_interval"] = "0.005"
    assert api.post("/instances", body).status_code == 400

    settings.POLL_INTERVAL_FLOOR = 0.2
    assert api.post("/instances", body).status_code == 200


REFUSED: dict[str, list[Any]] = {
    "event.poller.refresh_interval": [0.49, "0", "-1", "soon", "<minutes>", True, [], "1e3", "NaN", -1e300],
    "event.notification.enabled": ["maybe", 2, []],
    "event.notification.callback.url": [
        "mycoolapp.com",
        "ftp://mycoolapp.com",
        "http://10.0.0.1/ce",
        "http://[::ffff:192.168.1.1]/",
        "https://user:secret@mycoolapp.com/",
        "http://" + "x" * 3000,
        7,
    ],
    "event.vendor.type": ["webhook", "webhooks", "push", 1],
    "event.notification.type": ["email"],
    "event.notification.raw": ["some"],
    "event.notification.signature.key": [7, ["x"]],
    "event.poller.configuration": [
        {"contacts": {"url": "/hubs/crm/contacts"}},
        "{not json",
        7,
        {"contacts": {"url": "https://evil.example.com/", "idField": "id"}},
    ],
    "event.objects": ["nothings"],
    "filter.response.nulls": ["perhaps"],
    "baseUrl": [["x"], {"y": 1}],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in REFUSED.items() for value in values])
def test_setting_that_makes_no_sense_is_named(api, body, sandbox, key, value):
    body["configuration"][key] = value
    answer = api.post("/instances", body)

    assert answer.status_code == 400, answer.json()
    assert answer.json()["message"].startswith(key)
    assert answer.json()["requestId"] == answer["Elements-Request-Id"]
    assert not Instance.objects.exists()
    assert not sandbox.requests


def test_poller_configuration_is_looked_at_while_events_are_off_too(api, body):
    documented = json.loads(DOCUMENTED.read_text())
    del documented["contacts"]["idField"]
    body["configuration"]["event.poller.configuration"] = documented

    assert api.post("/instances", body).json()["message"] == "event.poller.configuration: contacts.idField is missing"


def test_unknown_macro_is_refused(api, body):
    documented = json.loads(DOCUMENTED.read_text())
    documented["contacts"]["url"] = "/hubs/crm/contacts?where=lastUpdated>'${yesterday}'"
    body["configuration"]["event.poller.configuration"] = documented

    answer = api.post("/instances", body)

    assert answer.status_code == 400
    assert "yesterday" in answer.json()["message"]


def test_missing_entries_are_named_all_at_once(api, body):
    body["configuration"] |= {"company": "", "public.key": None, "private.key": "********"}
    answer = api.post("/instances", body)

    assert answer.status_code == 400
    assert answer.json()["message"] == "The configuration lacks company, public.key, private.key"
    assert not Instance.objects.exists()


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"element": {"key": "nothing"}}, 404, "nothing"),
        ({"element": {"id": 0}}, 404, "0"),
        ({"element": {}}, 400, "element"),
        ({"element": "connectwisecrmrest"}, 400, "element"),
        ({"element": None}, 400, "element is missing"),
        ({"name": None}, 400, "name is missing"),
        ({"name": "<b></b>"}, 400, "name is missing"),
        ({"name": 7}, 400, "name"),
        ({"name": "x" * 300}, 400, "name"),
        ({"tags": "one"}, 400, "tags"),
        ({"tags": [1]}, 400, "tags"),
        ({"tags": ["x" * 300]}, 400, "tags"),
        ({"configuration": []}, 400, "configuration"),
        ({"configuration": None}, 400, "baseUrl, company, public.key, private.key"),
    ],
)
def test_body_that_makes_no_sense_is_refused(api, body, change, status, words):
    answer = api.post("/instances", body | change)

    assert answer.status_code == status
    assert words in answer.json()["message"]
    assert not Instance.objects.exists()


@pytest.mark.parametrize(
    ("sent", "status"), [(b"{", 400), (b"[]", 400), (b'"x"', 400), (b'{"name": "\\u0000"}', 400), (b"{}", 400)]
)
def test_body_that_is_no_object_is_400(api, sent, status):
    assert api.call("POST", "/instances", sent).status_code == status


def test_other_media_types_are_415(api, client):
    answer = client.post("/elements/api-v2/instances", data={"name": "x"}, headers={"Authorization": api.authorization})

    assert answer.status_code == 415
    assert set(answer.json()) == {"requestId", "message"}


def test_body_may_not_name_another_element_than_the_path(api, body):
    assert api.post("/elements/nothing/instances", body).status_code == 404


def test_wrong_credentials_are_400_with_the_provider_s_words(api, body):
    body["configuration"]["private.key"] = "canary-wrong-key"
    answer = api.post("/instances", body)

    assert answer.status_code == 400
    assert "private.key" in answer.json()["message"]
    assert answer.json()["providerMessage"]
    assert "canary-wrong-key" not in answer.content.decode()
    assert not Instance.objects.exists()


def test_unreachable_provider_is_400_and_says_where_to_look(api, body, sandbox):
    sandbox.stop()
    answer = api.post("/instances", body)

    assert answer.status_code == 400
    assert "baseUrl" in answer.json()["message"]
    assert not Instance.objects.exists()


@pytest.mark.parametrize(
    "answer_of_the_provider",
    [
        {"body": "<html><body>Sign in</body></html>"},
        {"body": b'{"version": "v20'},
        {"status": 500},
        {"status": 502},
        {"status": 403},
        {"status": 404},
        {"cut_after": 3},
        {"drop": True, "times": 3},
    ],
    ids=str,
)
def test_provider_that_answers_something_else_is_400_and_says_where_to_look(api, body, sandbox, answer_of_the_provider):
    sandbox.behave(**answer_of_the_provider)
    answer = api.post("/instances", body)

    assert answer.status_code == 400, answer.json()
    assert any(key in answer.json()["message"] for key in body["configuration"]), answer.json()
    assert "<html" not in answer.content.decode()
    assert not Instance.objects.exists()


def test_provider_that_wants_us_to_wait_is_429_with_its_delay(api, body, sandbox):
    sandbox.behave(status=429, headers={"Retry-After": "7"})
    answer = api.post("/instances", body)

    assert answer.status_code == 429
    assert answer["Retry-After"] == "7"
    assert not Instance.objects.exists()


def test_private_addresses_are_not_asked(api, body):
    body["configuration"]["baseUrl"] = "http://10.0.0.1/v4_6_release/apis/3.0"
    answer = api.post("/instances", body)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("baseUrl")


def test_nothing_is_left_behind_when_another_app_cannot_follow(api, body):
    def fail(**_signal):
        raise RuntimeError("no")

    instance_configured.connect(fail)
    try:
        assert api.post("/instances", body).status_code == 500
    finally:
        instance_configured.disconnect(fail)

    assert not Instance.objects.exists()


def test_events_begin_at_the_provider_s_clock_and_highest_ids(api, body, sandbox, announced):
    sandbox.clock.freeze(datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC))
    body["configuration"]["event.notification.enabled"] = True

    instance_id = api.post("/instances", body).json()["id"]

    ((announced_id, baseline, starts_over),) = announced
    assert announced_id == instance_id
    assert baseline.clock == datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert baseline.highest_ids == {
        "contacts": max(sandbox.contacts.ids()),
        "incidents": max(sandbox.tickets.ids()),
        "organizations": max(sandbox.companies.ids()),
    }
    assert starts_over is False


def test_resource_that_cannot_be_read_has_no_highest_id(api, body, sandbox, announced):
    sandbox.behave(path="/service/tickets", status=403)
    body["configuration"]["event.notification.enabled"] = True

    assert api.post("/instances", body).status_code == 200
    ((_, baseline, _),) = announced
    assert baseline.highest_ids["incidents"] is None
    assert baseline.highest_ids["contacts"] is not None


def test_events_that_are_off_have_no_baseline(api, body, sandbox, announced):
    api.post("/instances", body)

    assert [(baseline, starts_over) for _, baseline, starts_over in announced] == [(None, False)]
    assert len(sandbox.requests) == 1


def test_nobody_creates_without_both_secrets(body):
    assert Api(None).post("/instances", body).status_code == 401
