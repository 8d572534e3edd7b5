"""What is the same for the hubs of both elements: names, credentials, paging, headers, introspection."""

from __future__ import annotations

import pytest

from tests.contract.platform import CRM, HELP_DESK, Platform

both = pytest.mark.parametrize("key", [CRM, HELP_DESK])
HUBS = {CRM: "crm", HELP_DESK: "helpdesk"}


@pytest.mark.row("any verb, the same resources without /hubs/{hub} or with any hub name")
@both
def test_the_name_of_the_hub_is_decoration(platform: Platform, key):
    answers = [
        platform.hub(key, "GET", f"{hub}/{path}").json()
        for path in ("contacts", "contacts/1", "incidents/1/comments", "objects")
        for hub in (f"/hubs/{HUBS[key]}", "/hubs/documents", "/hubs/anything", "", "//hubs/crm")
    ]

    for start in range(0, len(answers), 5):
        assert all(answer == answers[start] for answer in answers[start : start + 5])


@both
def test_every_answer_names_the_instance(platform: Platform, key):
    answer = platform.hub(key, "GET", "/contacts?pageSize=2")

    assert answer.headers["Elements-Element-Instance-Id"] == str(platform.instances[key]["id"])
    assert answer.headers["Elements-Returned-Count"] == "2"


@both
@pytest.mark.parametrize("resource", ["contacts", "organizations", "incidents"])
def test_two_pages_are_one_of_twice_the_size(platform: Platform, key, resource):
    first = platform.hub(key, "GET", f"/{resource}?pageSize=2&page=1")
    token = first.headers["Elements-Next-Page-Token"]

    second = platform.hub(key, "GET", f"/{resource}?pageSize=2&nextPage={token}&page=2").json()

    assert first.json() + second == platform.hub(key, "GET", f"/{resource}?pageSize=4").json()
    whole = platform.hub(key, "GET", f"/{resource}?returnCount=true")
    assert "Elements-Next-Page-Token" not in whole.headers
    assert whole.headers["Elements-Total-Count"] == str(len(whole.json()))


@pytest.mark.parametrize("kinds", ["UE", "EU", "UOE", "EUO"])
def test_credentials_stand_in_any_order(platform: Platform, kinds):
    platform.hub(CRM, "GET", "/contacts?pageSize=1", kinds=kinds)


@pytest.mark.parametrize(
    "path", ["/contacts", "/hubs/crm/contacts", "/nothing", "/hubs/crm/nothing/1", "/objects", "/bulk/query"]
)
def test_credentials_come_before_the_path(platform: Platform, path):
    platform.call("GET", path, kinds="", status=401)
    platform.call("GET", path, kinds="UO", status=401)
    platform.call("GET", path, kinds="UE", token="unknown", status=401)
    stranger = platform.stranger
    stranger.call("GET", path, kinds="UE", token=platform.instances[CRM]["token"], status=401)


@pytest.mark.parametrize("path", ["/formulas", "/instances/1/nothing", "/users/1", "/usage/a/b", "/jobs/1/2"])
def test_what_the_platform_keeps_for_itself_is_no_resource(platform: Platform, path):
    platform.call("GET", path, kinds="", status=401)
    platform.call("GET", path, status=404)


@both
def test_nulls_go_or_stay_as_the_instance_says_at_once(platform: Platform, key):
    made = platform.create(key)
    entries = platform.get(f"/instances/{made['id']}/configuration")
    [nulls] = [entry for entry in entries if entry["key"] == "filter.response.nulls"]
    path = f"/instances/{made['id']}/configuration/{nulls['id']}"
    through = {"kinds": "UE", "token": made["token"]}
    platform.sandbox.contacts.edit(platform.sandbox.contacts.ids()[0], title=None)

    def has_nulls() -> bool:
        return any(value is None for value in platform.get("/contacts?pageSize=1", **through)[0].values())

    assert not has_nulls()
    platform.call("PATCH", path, {"propertyValue": "false"})
    assert has_nulls() == (key == HELP_DESK)  # ConnectWise leaves them out; the help desk's fields are always named


@pytest.mark.row("GET [/hubs/{hub}]/objects")
@both
def test_objects_are_named_and_for_newer_clients_described(platform: Platform, key):
    names = platform.hub(key, "GET", f"/hubs/{HUBS[key]}/objects").json()
    detailed = platform.hub(key, "GET", "/objects", headers={"Elements-Version": "Helium"}).json()

    assert {"contacts", "incidents", "organizations", "time-entries"} <= set(names)
    assert [one["name"] for one in detailed] == names
    assert {one["type"] for one in detailed} <= {"ceCanonical", "vendor", "vdr"}
    assert all(one.keys() >= {"name", "vendorName", "type"} for one in detailed)


@pytest.mark.row("GET [/hubs/{hub}]/objects/{name}/metadata")
@both
def test_fields_of_an_object_are_described(platform: Platform, key):
    fields = platform.hub(key, "GET", f"/hubs/{HUBS[key]}/objects/contacts/metadata").json()["fields"]
    by_path = {field["vendorPath"]: field for field in fields}

    assert by_path["firstName"]["vendorRequired"] is True
    assert by_path["id"]["vendorReadOnly"] is True
    assert {"type", "filterable", "createable", "updateable"} <= by_path["lastName"].keys()
    platform.hub(key, "GET", "/objects/nothing/metadata", status=404)


@pytest.mark.row("GET [/hubs/{hub}]/ping")
@both
def test_ping_asks_the_provider(platform: Platform, key):
    for path in ("/ping", f"/hubs/{HUBS[key]}/ping"):
        answer = platform.hub(key, "GET", path).json()
        assert (answer["endpoint"], answer["valid"]) == (key, True)
        assert answer["dateTime"].endswith("Z")
