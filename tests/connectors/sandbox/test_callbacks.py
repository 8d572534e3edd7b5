"""What is posted for a change, signed with which key, and to whom."""

from __future__ import annotations

import json
import uuid
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sandbox import Sandbox, payload
from connectors.sandbox.signing import signature

CONTACTS, TICKETS, TIME = "/company/contacts", "/service/tickets", "/time/entries"
KEYS = ["MessageId", "FromUrl", "CompanyId", "MemberId", "Action", "Type", "ID", "ProductInstanceId", "PartnerId"]
KEYS += ["Entity", "Metadata", "CallbackObjectRecId"]


def happened(listener) -> list[tuple[str, str, int]]:
    return sorted((body["Action"], body["Type"], body["ID"]) for body in listener.bodies)


def key_at(url: str) -> str:
    answer = requests.get(url, timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    return str(json.loads(answer.text)["signing_key"])


def test_save_is_posted_in_the_recorded_shape_and_signed(sandbox, listener, registered):
    saved = sandbox.contacts.edit(7, firstName="Zoë", title='"CFO"\n')
    sandbox.callbacks.wait_until_idle(10)

    (request,) = listener.received
    assert (request.method, request.path, request.query) == ("POST", "/hook", "recordId=7&action=updated")
    assert request.headers["content-type"].startswith("application/json")
    assert "Zoë".encode() in request.body
    (body,) = listener.bodies
    assert list(body) == KEYS
    assert uuid.UUID(body["MessageId"])
    assert body["FromUrl"] == urlsplit(sandbox.url).netloc
    assert (body["CompanyId"], body["MemberId"]) == ("acme", "SandboxApi")
    assert (body["Action"], body["Type"], body["ID"]) == ("updated", "contact", 7)
    assert body["CallbackObjectRecId"] == registered
    del saved["communicationItems"], saved["customFields"]
    assert json.loads(body["Entity"]) == saved
    assert list(body["Metadata"]) == ["key_url"]
    key_url = body["Metadata"]["key_url"]
    assert key_url.startswith(f"{sandbox.url}/v2025_1//system/callbackkey/index.rails?companyName=acme&id=")
    assert request.headers["x-content-signature"] == signature(request.body, key=key_at(key_url))


def test_signature_has_the_known_value():
    body = '{"ID":1,"Entity":"{\\"firstName\\":\\"Zoë\\"}"}'.encode()
    assert signature(body, key="test-signing-key") == "/6MCPDSj4L0ABiWvpm4aHIfYgUG12ypU5D8A6uiXcno="


def test_deleted_has_no_entity(sandbox, listener, registered):
    sandbox.contacts.delete(7)
    sandbox.callbacks.wait_until_idle(10)
    (body,) = listener.bodies
    assert list(body) == KEYS
    assert (body["Action"], body["ID"], body["Entity"]) == ("deleted", 7, None)


def test_every_write_over_the_api_is_told(sandbox, call, listener):
    for type_ in ("contact", "company", "ticket", "time"):
        call.register(listener.url, type=type_)
    contact = call("POST", CONTACTS, json={"firstName": "Ann"}).json()["id"]
    ticket = call("POST", TICKETS, json={"summary": "Fire", "company": {"id": 1}}).json()["id"]
    entry = call("POST", TIME, json={"timeStart": "2026-01-01T08:00:00Z"}).json()["id"]
    company = call("POST", "/company/companies", json={"identifier": "N", "name": "N"}).json()["id"]
    call("PATCH", f"{TICKETS}/{ticket}", json=[{"op": "replace", "path": "summary", "value": "Out"}])
    call("PUT", f"{CONTACTS}/{contact}", json={"firstName": "Eve"})
    call("DELETE", f"{TIME}/{entry}")
    call("POST", CONTACTS, json={})  # refused: nothing happened
    sandbox.callbacks.wait_until_idle(10)
    assert happened(listener) == [
        ("added", "company", company),
        ("added", "contact", contact),
        ("added", "ticket", ticket),
        ("added", "time", entry),
        ("deleted", "time", entry),
        ("updated", "contact", contact),
        ("updated", "ticket", ticket),
    ]
    assert len({body["MessageId"] for body in listener.bodies}) == 7


def test_hidden_change_is_told_when_it_is_revealed(sandbox, listener, registered):
    new = sandbox.contacts.add(is_hidden=True)["id"]
    sandbox.contacts.edit(3, is_hidden=True, title="later")
    assert sandbox.callbacks.waiting == 0
    sandbox.contacts.reveal(new)
    sandbox.contacts.reveal(3)
    sandbox.callbacks.wait_until_idle(10)
    assert happened(listener) == [("added", "contact", new), ("updated", "contact", 3)]


def test_only_who_registered_for_it_is_told(sandbox, call, listener):
    owner = call.register(listener.url).json()["id"]
    company = sandbox.contacts.get(1)["company"]["id"]
    same_company = call.register(listener.url, level="company", objectId=company).json()["id"]
    call.register(listener.url, level="company", objectId=999)
    one_contact = call.register(listener.url, level="contact", objectId=1).json()["id"]
    call.register(listener.url, type="ticket")
    disabled = call.register(listener.url, objectId=5).json()["id"]
    sandbox.registrations.edit(disabled, inactiveFlag=True)

    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    assert sorted(body["CallbackObjectRecId"] for body in listener.bodies) == [owner, same_company, one_contact]
    assert len({body["MessageId"] for body in listener.bodies}) == 3


def test_self_suppressed_registration_is_not_told_of_its_owners_writes(sandbox, call, listener):
    call.register(listener.url, isSelfSuppressedFlag=True)
    call("PATCH", f"{CONTACTS}/1", json=[{"op": "replace", "path": "title", "value": "CFO"}])
    call("DELETE", f"{CONTACTS}/2")
    sandbox.contacts.edit(3)
    sandbox.callbacks.wait_until_idle(10)
    assert happened(listener) == [("updated", "contact", 3)]


def test_url_is_called_as_it_was_registered_even_where_that_spoils_it(sandbox, call, listener):
    call.register(f"{listener.server.url}/a%2Fb/ü?instance=42")
    call.register(listener.server.url)
    sandbox.contacts.edit(7)
    sandbox.callbacks.wait_until_idle(10)
    called = sorted((request.path, request.query) for request in listener.received)
    assert called == [("/", "7&action=updated"), ("/a/b/ü", "instance=427&action=updated")]


def test_entity_shows_the_record_as_it_was_when_it_was_saved(sandbox, listener, registered):
    sandbox.callbacks.pause()
    for title in ("first", "second"):
        sandbox.contacts.edit(7, title=title)
    sandbox.contacts.delete(7)
    sandbox.callbacks.resume()
    sandbox.callbacks.wait_until_idle(10)
    titles = sorted(json.loads(body["Entity"])["title"] for body in listener.bodies if body["Entity"])
    assert titles == ["first", "second"]


def test_whole_entity_keeps_the_nulls_of_custom_fields_only(sandbox, listener, registered):
    sandbox.callbacks.entity_is_slim = False
    saved = sandbox.contacts.edit(7, site={"id": 1, "name": None})
    sandbox.callbacks.wait_until_idle(10)
    entity = json.loads(listener.bodies[0]["Entity"])
    assert entity == {**saved, "site": {"id": 1}}
    assert None in [one["value"] for one in entity["customFields"]]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(record=st.dictionaries(st.text("abcde", max_size=4), VALUES, max_size=6))
@settings(max_examples=50)
def test_entity_of_any_record_is_that_record_without_its_nulls(record):
    entity = payload.entity({"id": 1, "customFields": [], **record}, is_slim=True)
    assert json.loads(entity) == without_nulls({"id": 1, **record})


def without_nulls(value):
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


# Keys


def test_rotated_key_has_a_new_address_and_the_old_one_answers_the_old_key(sandbox, listener, registered):
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    sandbox.callbacks.rotate_key()
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)

    urls = [body["Metadata"]["key_url"] for body in listener.bodies]
    assert urls[0] != urls[1]
    assert key_at(urls[0]) != key_at(urls[1])
    for request, url in zip(listener.received, urls, strict=True):
        assert request.headers["x-content-signature"] == signature(request.body, key=key_at(url))


def test_replaced_key_has_the_same_address(sandbox, listener, registered):
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    old = key_at(listener.bodies[0]["Metadata"]["key_url"])
    sandbox.callbacks.replace_key()
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)

    request, body = listener.received[1], listener.bodies[1]
    assert body["Metadata"] == listener.bodies[0]["Metadata"]
    signed = request.headers["x-content-signature"]
    assert signed != signature(request.body, key=old)
    assert signed == signature(request.body, key=key_at(body["Metadata"]["key_url"]))


@pytest.mark.parametrize(
    "old, new", [("companyName=acme", "companyName=evilcorp"), ("&id=", "&id=0"), ("&id=", "&x="), ("//sys", "/sys")]
)
def test_key_is_nowhere_but_at_its_address(sandbox, old, new):
    place = sandbox.callbacks.keys.place()
    assert old in place
    answer = requests.get(sandbox.url + place.replace(old, new), timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert requests.get(sandbox.url + place.replace("acme", "ACME"), timeout=10).status_code == 200


def test_same_seed_gives_the_same_keys_and_ids():
    first, again, other = (Sandbox(contacts=1, companies=1, tickets=1, seed=seed) for seed in (3, 3, 4))
    assert first.callbacks.keys.key == again.callbacks.keys.key != other.callbacks.keys.key


# Shapes that may come too


def test_signature_and_entity_can_be_missing(sandbox, listener, registered):
    sandbox.callbacks.without_signature = sandbox.callbacks.without_entity = True
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    assert "x-content-signature" not in listener.received[0].headers
    assert list(listener.bodies[0]) == [key for key in KEYS if key != "Entity"]


def test_old_shape_lacks_the_ids_and_spells_differently(sandbox, listener, registered):
    sandbox.callbacks.old_shape = True
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    expected = ["FromUrl", "CompanyId", "MemberId", "Action", "Type", "Id", "Entity", "metadata"]
    assert list(listener.bodies[0]) == expected
    assert "key_url" in listener.bodies[0]["metadata"]


def test_key_url_can_be_forged(sandbox, listener, registered):
    sandbox.callbacks.key_url = "http://127.0.0.1:1/system/callbackkey"
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    assert listener.bodies[0]["Metadata"] == {"key_url": "http://127.0.0.1:1/system/callbackkey"}
