"""Instances: made, listed, changed by id and by token, switched, configured, deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.platform import CRM, HELP_DESK, Platform

both = pytest.mark.parametrize("key", [CRM, HELP_DESK])
SECRETS = {CRM: "private.key", HELP_DESK: "helpdesk.connectwise.password"}
CLEAR = {CRM: "public.key", HELP_DESK: "helpdesk.connectwise.username"}
EVENTS: dict[str, Any] = {"event.notification.enabled": True}


def assert_is_instance(instance, key) -> None:
    assert isinstance(instance["id"], int)
    assert isinstance(instance["token"], str)
    assert isinstance(instance["valid"], bool)
    assert all(isinstance(tag, str) for tag in instance["tags"])
    assert {"id", "emailAddress", "firstName", "lastName"} <= instance["user"].keys()
    assert instance["createdDate"].endswith("Z")
    assert (instance["element"]["key"], "hub" in instance["element"]) == (key, True)
    assert "configuration" not in instance["element"]
    assert "providerData" not in instance
    assert all(value is None or isinstance(value, str) for value in instance["configuration"].values())


@pytest.mark.row("POST /instances")
@both
def test_an_instance_is_made_with_its_secrets_masked(platform: Platform, key):
    body: dict[str, Any] = {
        "element": {"key": key},
        "name": "<a href='x'>Acme</a> @ <b>Tampa</b>",
        "configuration": platform.configuration(key, **{"our.own": "kept"}),
        "providerData": {"code": "1c6ff4089d58d80e"},
    }
    made = platform.call("POST", "/instances", body).json()

    assert_is_instance(made, key)
    assert made["name"] == "Acme @ Tampa"
    assert made["tags"] == ["Acme @ Tampa"]
    assert made["configuration"][SECRETS[key]] == "********"
    assert made["configuration"][CLEAR[key]] == body["configuration"][CLEAR[key]]
    assert made["configuration"]["our.own"] == "kept"
    entries = platform.get(f"/elements/{key}/configuration")
    assert {entry["key"] for entry in entries} <= made["configuration"].keys()


@pytest.mark.row("POST /instances")
@both
def test_what_cannot_be_an_instance_is_refused_and_leaves_none(platform: Platform, key):
    good: dict[str, Any] = {"element": {"key": key}, "name": "Never", "configuration": platform.configuration(key)}
    incomplete = {name: value for name, value in good["configuration"].items() if name != SECRETS[key]}
    wrong = good["configuration"] | {SECRETS[key]: "wrong"}

    missing = platform.call("POST", "/instances", good | {"configuration": incomplete}, status=400).json()
    assert SECRETS[key] in missing["message"]
    refused = platform.call("POST", "/instances", good | {"configuration": wrong}, status=400).json()
    assert refused["providerMessage"] != ""
    platform.call("POST", "/instances", {**good, "name": None}, status=400)
    platform.call("POST", "/instances", {**good, "element": {"key": "nothing"}}, status=404)
    platform.call("GET", "/instances?searchText=Never", status=404)


@pytest.mark.row("GET /instances")
def test_instances_are_listed_by_tag_and_text_and_none_is_404(platform: Platform):
    made = platform.create(CRM, name="needle in a stack")

    def found(query: str) -> list[int]:
        return [one["id"] for one in platform.get(f"/instances?{query}")]

    assert made["id"] in found("")
    assert found("tags%5B%5D=needle in a stack") == [made["id"]]
    assert found("searchText=needle") == [made["id"]]
    [short] = platform.get("/instances?searchText=needle&hydrate=false")
    assert {"id", "token"} <= short.keys()
    assert {"id", "key"} <= short["element"].keys()
    listed = platform.call("GET", "/instances", kinds="UOE", token=made["token"]).json()
    assert len(listed) > 1
    platform.call("GET", "/instances?searchText=no+such+thing", status=404)
    platform.stranger.call("GET", "/instances", status=404)


@pytest.mark.row("GET /instances")
def test_a_walk_by_tokens_meets_every_instance_once(platform: Platform):
    met: list[int] = []
    token: str | None = ""
    while token is not None:
        page = platform.call("GET", f"/instances?pageSize=1&nextPage={token}")
        met += [one["id"] for one in page.json()]
        token = page.headers.get("Elements-Next-Page-Token")

    assert met == [one["id"] for one in platform.get("/instances")]


@pytest.mark.row("GET /instances/count")
def test_instances_are_counted(platform: Platform):
    counted = platform.get("/instances/count")

    assert counted["totalInstances"] == len(platform.get("/instances"))


@pytest.mark.row("GET, PUT, PATCH, DELETE /instances/{id}")
@both
def test_what_was_read_can_be_put_back_with_one_thing_changed(platform: Platform, key):
    made = platform.create(key)
    path = f"/instances/{made['id']}"
    read = platform.get(path)

    put = platform.call("PUT", path, read | {"tags": ["changed"]}).json()

    assert_is_instance(put, key)
    assert (put["id"], put["token"], put["tags"]) == (made["id"], made["token"], ["changed"])
    platform.call("GET", "/contacts?pageSize=1", kinds="UE", token=made["token"])
    assert platform.call("PUT", path, {"name": "Only the name", "tags": []}).json()["tags"] == []
    patched = platform.call("PATCH", path, {"id": made["id"], "configuration": {"our.own": "new"}}).json()
    assert patched["configuration"]["our.own"] == "new"
    assert patched["name"] == "Only the name"
    platform.call("PATCH", path, {"configuration": {SECRETS[key]: "wrong"}}, status=400)
    platform.call("PUT", path, {"tags": {"no": "list"}}, status=400)
    platform.stranger.call("GET", path, status=404)
    platform.stranger.call("DELETE", path, status=404)
    assert platform.call("DELETE", path).content == b""
    for method, body in (("GET", None), ("PUT", {}), ("PATCH", {}), ("DELETE", None)):
        platform.call(method, path, body, status=404)
    platform.call("GET", "/contacts", kinds="UE", token=made["token"], status=401)
    for number in ("-1", "0", "999999999", "x"):
        platform.call("GET", f"/instances/{number}", status=404)


@pytest.mark.row("PUT, PATCH /instances")
@both
def test_an_instance_is_changed_by_its_token(platform: Platform, key):
    made = platform.create(key)
    by_token = {"kinds": "EUO", "token": made["token"]}

    assert platform.call("PATCH", "/instances", {"name": "Patched"}, **by_token).json()["name"] == "Patched"
    assert platform.call("PUT", "/instances", {"name": "Put"}, **by_token).json()["id"] == made["id"]
    assert platform.get(f"/instances/{made['id']}")["name"] == "Put"
    platform.call("PATCH", "/instances", {"tags": "no list"}, **by_token, status=400)
    platform.call("PATCH", "/instances", {"name": "x"}, status=401)


@pytest.mark.row("PUT, DELETE /instances/{id}/enabled")
@both
def test_a_disabled_instance_answers_403_but_for_its_objects(platform: Platform, key):
    made = platform.create(key)
    through = {"kinds": "UE", "token": made["token"]}

    platform.call("DELETE", f"/instances/{made['id']}/enabled")

    assert platform.get(f"/instances/{made['id']}")["disabled"] is True
    platform.call("GET", "/contacts", **through, status=403)
    assert "contacts" in platform.get("/objects", **through)
    platform.call("PUT", f"/instances/{made['id']}/enabled")
    platform.call("GET", "/contacts?pageSize=1", **through)
    platform.call("PUT", "/instances/-1/enabled", status=404)
    platform.call("DELETE", "/instances/-1/enabled", status=404)


@pytest.mark.row("PUT, DELETE /instances/enabled")
def test_an_instance_is_switched_by_its_token(platform: Platform):
    made = platform.create(CRM)
    by_token = {"kinds": "UOE", "token": made["token"]}

    platform.call("DELETE", "/instances/enabled", **by_token)
    assert platform.get(f"/instances/{made['id']}")["disabled"] is True
    platform.call("PUT", "/instances/enabled", **by_token)
    assert platform.get(f"/instances/{made['id']}")["disabled"] is False
    platform.call("PUT", "/instances/enabled", status=401)


@pytest.mark.row("GET /instances/{id}/configuration; GET, PATCH /instances/{id}/configuration/{configId}")
@both
def test_every_entry_of_the_configuration_is_listed_and_changed_by_its_id(platform: Platform, key):
    made = platform.create(key)
    path = f"/instances/{made['id']}/configuration"
    entries = {entry["key"]: entry for entry in platform.get(path)}

    assert entries["filter.response.nulls"]["propertyValue"] == "true"
    assert entries["event.notification.enabled"]["propertyValue"] == "false"
    assert entries[SECRETS[key]]["propertyValue"] == "********"
    nulls = entries["filter.response.nulls"]
    assert platform.get(f"{path}/{nulls['id']}") == nulls
    changed = platform.call("PATCH", f"{path}/{nulls['id']}", nulls | {"propertyValue": "false"}).json()
    assert (changed["id"], changed["propertyValue"]) == (nulls["id"], "false")
    assert platform.get(f"{path}/{nulls['id']}")["propertyValue"] == "false"
    platform.call("PATCH", f"{path}/{nulls['id']}", {"propertyValue": "perhaps"}, status=400)
    platform.call("GET", f"{path}/0", status=404)


@pytest.mark.row("GET /instances/configuration; GET, PATCH /instances/configuration/{configId}")
def test_the_configuration_is_reached_by_the_token(platform: Platform):
    made = platform.create(CRM)
    by_token = {"kinds": "UOE", "token": made["token"]}
    entries = platform.get("/instances/configuration", **by_token)
    [nulls] = [entry for entry in entries if entry["key"] == "filter.response.nulls"]
    path = f"/instances/configuration/{nulls['id']}"

    assert {entry["elementInstanceId"] for entry in entries} == {made["id"]}
    platform.call("PATCH", path, {"propertyValue": "false"}, **by_token)
    assert platform.get(path, **by_token)["propertyValue"] == "false"
    platform.call("GET", "/instances/configuration/0", **by_token, status=404)
    platform.call("GET", "/instances/configuration", status=401)


@pytest.mark.row("GET /instances/{id}/docs, /instances/docs")
@both
def test_an_instance_describes_its_hub_in_swagger(platform: Platform, key):
    made = platform.instances[key]
    document = platform.get(f"/instances/{made['id']}/docs")

    assert document["swagger"] == "2.0"
    assert any(path.endswith("/contacts") for path in document["paths"])
    assert platform.get("/instances/docs", kinds="UOE", token=made["token"]) == document
    platform.call("GET", "/instances/-1/docs", status=404)


@pytest.mark.row("CRUD /instances/{id}/objects/{name}/definitions, /instances/{id}/transformations/{name}")
@both
def test_an_instance_has_a_resource_under_a_name_and_with_fields_of_its_own(platform: Platform, key):
    made = platform.create(key)
    fields = [{"path": "number", "vendorPath": "id"}, {"path": "called.first", "vendorPath": "firstName"}]
    defined = {"fields": [{"path": "number", "type": "number"}, {"path": "called.first", "type": "string"}]}
    definition = f"/instances/{made['id']}/objects/people/definitions"
    transformation = f"/instances/{made['id']}/transformations/people"
    through = {"kinds": "UE", "token": made["token"]}
    [first] = platform.get("/contacts?pageSize=1", **through)

    platform.call("POST", definition, defined)
    platform.call("POST", definition, defined, status=409)
    assert [field["path"] for field in platform.get(definition)["fields"]] == ["number", "called.first"]
    platform.call("POST", transformation, {"vendorName": "contacts", "fields": fields})

    assert platform.get(transformation)["vendorName"] == "contacts"
    expected = {"number": first["id"], "called": {"first": first["firstName"]}}
    assert platform.get("/hubs/any/people?pageSize=1", **through) == [expected]
    assert platform.get(f"/people?where=number='{first['id']}'", **through) == [expected]
    assert platform.get(f"/people/{first['id']}", **through) == expected
    detailed = platform.get("/objects", headers={"Elements-Version": "Helium"}, **through)
    assert {"name": "people", "vendorName": "contacts", "type": "vdr"} in detailed
    by_token = {"kinds": "UOE", "token": made["token"]}
    assert platform.get("/instances/transformations/people", **by_token) == platform.get(transformation)
    platform.call("DELETE", transformation)
    platform.call("DELETE", definition)
    platform.call("GET", "/people", **through, status=404)
    platform.call("GET", transformation, status=404)
    platform.stranger.call("GET", definition, status=404)


@pytest.mark.row("GET /instances/event-poller-records")
def test_polled_objects_are_listed_and_gone_when_they_are_dropped(platform: Platform):
    made = platform.create(CRM, **EVENTS)
    by_token = {"kinds": "UOE", "token": made["token"]}

    before = platform.get("/instances/event-poller-records", **by_token)
    platform.call("PATCH", "/instances", {"configuration": {"event.objects": "contacts"}}, **by_token)

    assert (len(before), len(platform.get("/instances/event-poller-records", **by_token))) == (3, 1)
    platform.call("GET", "/instances/event-poller-records", status=401)


@pytest.mark.row("GET /instances/polling-disabled, /jobs/polling-disabled")
def test_nothing_that_polls_well_is_listed_as_disabled(platform: Platform):
    assert platform.get("/instances/polling-disabled") == []
    assert platform.get("/jobs/polling-disabled") == []


def test_the_poller_configuration_is_taken_as_an_object_and_as_text(platform: Platform):
    entries = platform.get(f"/elements/{CRM}/configuration")
    [text] = [one["defaultValue"] for one in entries if one["key"] == "event.poller.configuration"]

    for sent in (text, json.loads(text)):
        made = platform.create(CRM, **{"event.poller.configuration": sent, **EVENTS})
        assert json.loads(made["configuration"]["event.poller.configuration"]) == json.loads(text)


@pytest.mark.parametrize(
    "body, status",
    [
        (b'{"name": "a", "name": "b"}', 400),
        (b'{"name": "\\ud800"}', 400),
        (b'{"name": "\\u0000"}', 400),
        (b'{"na\\u0000me": 1}', 400),
        (b'{"name": NaN}', 400),
        (b'{"name"', 400),
        (b"[]", 400),
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b'{"name": ' + b"9" * 100_000 + b"}", 400),
        (b'{"name": "\xff"}', 400),
        (b'{"name": "' + b"x" * 1_100_000 + b'"}', 413),
    ],
    ids=lambda value: str(value)[:30],
)
def test_malformed_bodies_are_refused_in_words(platform: Platform, body, status):
    platform.call("POST", "/instances", data=body, status=status)


def test_other_media_types_are_refused(platform: Platform):
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    platform.call("POST", "/instances", data=b"name=a", headers=form, status=415)
    platform.call("GET", "/elements", headers={"Accept": "text/html"}, status=406)
