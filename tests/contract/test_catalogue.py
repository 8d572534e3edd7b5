"""Elements and hubs as clients find them."""

from __future__ import annotations

import json

import pytest

from tests.contract.platform import CRM, HELP_DESK, Platform

both = pytest.mark.parametrize("key", [CRM, HELP_DESK])
IDS = {CRM: 3012, HELP_DESK: 142}
HUBS = {CRM: "crm", HELP_DESK: "helpdesk"}


@pytest.mark.row("GET /elements")
@pytest.mark.parametrize("kinds", ["", "UO"])
def test_elements_are_listed_with_and_without_credentials(platform: Platform, kinds):
    elements = platform.get("/elements", kinds=kinds)

    assert {CRM, HELP_DESK} <= {one["key"] for one in elements}
    for one in elements:
        assert {"name", "key", "description", "authentication"} <= one.keys()


@pytest.mark.row("GET /elements/keys")
def test_keys_of_elements_are_strings(platform: Platform):
    assert {CRM, HELP_DESK} <= set(platform.get("/elements/keys"))


@pytest.mark.row("GET /elements/{keyOrId}")
@both
def test_an_element_is_found_by_key_and_by_id_with_its_configuration(platform: Platform, key):
    element = platform.get(f"/elements/{key}")

    assert element == platform.get(f"/elements/{IDS[key]}")
    assert (element["key"], element["id"], element["hub"]) == (key, IDS[key], HUBS[key])
    assert element["configuration"] != []
    platform.call("GET", "/elements/nothing", status=404)


@pytest.mark.row("GET /elements/{keyOrId}/configuration")
@both
def test_the_polling_default_is_found_in_the_configuration_and_can_be_sent_back(platform: Platform, key):
    entries = platform.get(f"/elements/{key}/configuration")

    for entry in entries:
        assert {"name", "key", "description"} <= entry.keys()
        assert isinstance(entry["id"], int)
        assert isinstance(entry["displayOrder"], int)
        assert isinstance(entry.get("defaultValue", ""), str)
    [polled] = [entry for entry in entries if entry["key"] == "event.poller.configuration"]
    default = json.loads(polled["defaultValue"])
    assert "contacts" in default
    made = platform.create(key, **{"event.poller.configuration": default})
    platform.call("DELETE", f"/instances/{made['id']}")
    platform.call("GET", "/elements/0/configuration", status=404)


@pytest.mark.row("GET /elements/{keyOrId}/metadata, /elements/metadata")
def test_metadata_says_how_changes_come(platform: Platform):
    every = {one["key"]: one for one in platform.get("/elements/metadata")}

    assert "polling" in every[CRM]["events"]["methods"]
    assert every[CRM]["events"]["polling"] != {}
    assert "webhook" in every[HELP_DESK]["events"]["methods"]
    for key in (CRM, HELP_DESK):
        assert platform.get(f"/elements/{key}/metadata") == every[key]
        expanded = platform.get(f"/elements/{key}/metadata?expand=true")
        assert {"resources", "api", "bulk", "discovery", "hub", "active"} <= expanded.keys()
        names = {one["canonicalName"] for one in expanded["resources"]}
        assert {"contacts", "incidents", "organizations", "time-entries"} <= names
    platform.call("GET", "/elements/nothing/metadata", status=404)


@pytest.mark.row("GET, POST /elements/{keyOrId}/instances")
@both
def test_instances_of_an_element_are_listed_and_made_under_it(platform: Platform, key):
    body = {"name": "Under its element", "configuration": platform.configuration(key)}
    made = platform.call("POST", f"/elements/{key}/instances", body).json()

    listed = platform.get(f"/elements/{IDS[key]}/instances")
    assert made["id"] in [one["id"] for one in listed]
    assert {one["element"]["key"] for one in listed} == {key}
    assert all("createdDate" in one for one in listed)
    platform.call("POST", f"/elements/{key}/instances", {"name": "Incomplete", "configuration": {}}, status=400)
    platform.call("POST", "/elements/nothing/instances", body, status=404)


@pytest.mark.row("GET, PUT, DELETE /elements/{keyOrId}/instances/{id}")
@both
def test_an_instance_is_read_changed_and_deleted_under_its_element(platform: Platform, key):
    path = f"/elements/{key}/instances/{platform.create(key)['id']}"

    assert platform.call("PUT", path, {"name": "Renamed"}).json()["name"] == "Renamed"
    assert platform.get(path)["name"] == "Renamed"
    platform.call("PUT", path, {"tags": "no list"}, status=400)
    assert platform.call("DELETE", path).content == b""
    platform.call("GET", path, status=404)


@pytest.mark.row("GET, POST /elements/{keyOrId}/oauth/url")
@both
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_elements_without_oauth_say_so(platform: Platform, key, method):
    body = {"apiKey": "a", "apiSecret": "b", "callbackUrl": "https://app.example.com"} if method == "POST" else None

    assert "OAuth" in platform.call(method, f"/elements/{key}/oauth/url", body, status=400).json()["message"]
    platform.call(method, "/elements/nothing/oauth/url", body, status=404)


@pytest.mark.row("GET /elements/{keyOrId}/docs")
@both
def test_an_element_describes_its_hub_in_swagger(platform: Platform, key):
    document = platform.get(f"/elements/{key}/docs")

    assert document["swagger"] == "2.0"
    paths = {path.removeprefix(f"/hubs/{HUBS[key]}") for path in document["paths"]}
    assert {"/contacts", "/contacts/{id}", "/incidents/{id}/comments"} <= {
        path.replace("{contactId}", "{id}").replace("{incidentId}", "{id}") for path in paths
    }
    platform.call("GET", "/elements/nothing/docs", status=404)


@pytest.mark.row("GET /hubs, /hubs/keys, /hubs/{key}, /hubs/{key}/elements")
@pytest.mark.parametrize("kinds", ["", "UO"])
def test_hubs_are_listed_with_their_elements(platform: Platform, kinds):
    assert {"crm", "helpdesk"} <= {hub["key"] for hub in platform.get("/hubs", kinds=kinds)}
    assert {"crm", "helpdesk"} <= set(platform.get("/hubs/keys", kinds=kinds))
    assert platform.get("/hubs/crm", kinds=kinds)["key"] == "crm"
    assert CRM in [one["key"] for one in platform.get("/hubs/crm/elements", kinds=kinds)]
    assert HELP_DESK in [one["key"] for one in platform.get("/hubs/helpdesk/elements", kinds=kinds)]
    hydrated = {hub["key"]: hub for hub in platform.get("/hubs?hydrate=true", kinds=kinds)}
    assert CRM in [one["key"] for one in hydrated["crm"]["elements"]]
    platform.call("GET", "/hubs/nothing", kinds=kinds, status=404)


@pytest.mark.row("POST /authentication; GET /authentication/secrets")
def test_a_login_leads_to_the_secrets(platform: Platform):
    login = {"username": "owner@example.com", "password": "good enough 1"}
    token = platform.call("POST", "/authentication", login, kinds="").json()["token"]

    secrets = platform.get("/authentication/secrets", kinds="", headers={"Authorization": f"Bearer {token}"})

    assert secrets == {"userSecret": platform.user_secret, "organizationSecret": platform.organization_secret}
    platform.call("POST", "/authentication", login | {"password": "wrong"}, kinds="", status=401)
    platform.call("GET", "/authentication/secrets", kinds="", headers={"Authorization": "Bearer no"}, status=401)
