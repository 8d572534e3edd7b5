from __future__ import annotations

import json

import pytest

from tests.api_client import Api

ANYBODY = Api(None)
KEY = "connectwisecrmrest"


def test_catalogue_is_open_to_anybody_and_to_users(api):
    assert ANYBODY.get("/elements").json() == api.get("/elements").json()


def test_stale_credentials_do_not_close_the_catalogue():
    assert ANYBODY.call("GET", "/elements", authorization="Basic YTpi,").status_code == 200


def test_elements_have_the_members_that_clients_need():
    for element in ANYBODY.get("/elements").json():
        assert {"id", "name", "key", "description", "authentication", "hub", "configuration"} <= set(element)
        assert isinstance(element["id"], int)


def test_key_and_id_find_the_same_element():
    by_key = ANYBODY.get(f"/elements/{KEY}").json()

    assert by_key["key"] == KEY
    assert by_key["configuration"]
    for suffix in ("", "/configuration", "/metadata"):
        assert ANYBODY.get(f"/elements/{KEY}{suffix}").json() == ANYBODY.get(f"/elements/{by_key['id']}{suffix}").json()


def test_keys_are_strings():
    assert KEY in ANYBODY.get("/elements/keys").json()


def test_configuration_entries_have_string_defaults():
    entries = ANYBODY.get(f"/elements/{KEY}/configuration").json()

    assert entries == ANYBODY.get(f"/elements/{KEY}").json()["configuration"]
    for entry in entries:
        assert {"id", "name", "key", "description", "displayOrder", "type", "required"} <= set(entry)
        assert isinstance(entry["id"], int)
        assert isinstance(entry["displayOrder"], int)
        assert isinstance(entry.get("defaultValue", ""), str)
    assert [entry["key"] for entry in entries if entry["required"]] == [
        "baseUrl",
        "company",
        "public.key",
        "private.key",
    ]


def test_default_poller_configuration_is_json_in_a_string():
    (entry,) = [
        entry
        for entry in ANYBODY.get(f"/elements/{KEY}/configuration").json()
        if entry["key"] == "event.poller.configuration"
    ]

    assert set(json.loads(entry["defaultValue"])) == {"contacts", "incidents", "organizations"}


def test_metadata_names_the_event_methods():
    metadata = ANYBODY.get(f"/elements/{KEY}/metadata").json()

    assert metadata["events"]["supported"] is True
    assert metadata["events"]["methods"] == ["polling"]
    assert set(metadata["events"]["polling"]) == {"contacts", "incidents", "organizations"}
    assert metadata in ANYBODY.get("/elements/metadata").json()
    assert "resources" not in metadata


def test_expanded_metadata_lists_the_resources():
    metadata = ANYBODY.get(f"/elements/{KEY}/metadata", expand="true").json()

    assert metadata["hub"] == "crm"
    assert {"canonicalName", "operations", "events", "bulk", "customField"} == set(metadata["resources"][0])


@pytest.mark.parametrize("suffix", ["", "/configuration", "/metadata"])
@pytest.mark.parametrize("name", ["nothing", "0", "-1", "3012x"])
def test_unknown_element_is_404_with_the_error_body(name, suffix):
    answer = ANYBODY.get(f"/elements/{name}{suffix}")

    assert answer.status_code == 404
    assert answer.json()["requestId"] == answer["Elements-Request-Id"]
    assert answer.json()["message"]


def test_other_verbs_are_405_with_the_error_body():
    answer = ANYBODY.post("/elements", {})

    assert answer.status_code == 405
    assert set(answer.json()) == {"requestId", "message"}
