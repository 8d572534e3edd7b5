from __future__ import annotations

from typing import Any

import pytest

from instances.models import User
from tests.api_client import Api
from tests.factories import InstanceFactory

DEFINITION = {"fields": [{"path": "id", "type": "number"}, {"path": "name.first", "type": "string"}]}
PEOPLE: dict[str, Any] = {
    "vendorName": "contacts",
    "fields": [{"path": "id", "vendorPath": "id"}, {"path": "name.first", "vendorPath": "firstName"}],
}
BOTH_KINDS = ["objects/people/definitions", "transformations/people"]


@pytest.fixture
def instance(owner):
    return InstanceFactory.create(user=owner)


def body_for(path: str) -> dict[str, Any]:
    return DEFINITION if "objects" in path else PEOPLE


@pytest.mark.parametrize("path", BOTH_KINDS)
@pytest.mark.parametrize("is_by_token", [False, True])
def test_one_is_made_read_changed_and_deleted(api, instance, path, is_by_token):
    caller = api.through(instance)
    place = f"/instances/{path}" if is_by_token else f"/instances/{instance.pk}/{path}"
    assert caller.get(place).status_code == 404
    assert caller.put(place, body_for(path)).status_code == 404

    made = caller.post(place, body_for(path))

    assert made.status_code == 200, made.content
    assert made.json() == {"objectName": "people", "level": "instance", **body_for(path)}
    assert caller.get(place).json() == made.json()
    assert caller.post(place, body_for(path)).status_code == 409
    shorter = {**body_for(path), "fields": body_for(path)["fields"][:1]}
    assert caller.put(place, shorter).json()["fields"] == shorter["fields"]
    assert caller.get(place).json()["fields"] == shorter["fields"]
    deleted = caller.delete(place)
    assert (deleted.status_code, deleted.content) == (200, b"")
    assert caller.get(place).status_code == 404
    assert caller.delete(place).status_code == 404


@pytest.mark.parametrize("by", ["{id}/", ""])
def test_all_of_an_instance_are_listed_by_name(api, instance, by):
    caller = api.through(instance)
    by = by.replace("{id}", str(instance.pk))
    assert caller.get(f"/instances/{by}objects/definitions").json() == {}
    assert caller.get(f"/instances/{by}transformations").json() == {}

    made = [caller.post(f"/instances/{by}{path}", body_for(path)).json() for path in BOTH_KINDS]

    assert caller.get(f"/instances/{by}objects/definitions").json() == {"people": made[0]}
    assert caller.get(f"/instances/{by}transformations").json() == {"people": made[1]}


@pytest.mark.parametrize(
    ("name", "sent", "named"),
    [
        ("people", None, "Send an object"),
        ("people", [], "Send an object"),
        ("people", {**PEOPLE, "vendorName": "nothing"}, "contacts"),
        ("people", {**PEOPLE, "fields": [{"path": "a\x00b", "vendorPath": "id"}]}, "NUL"),
        ("ping", PEOPLE, "ping"),
        ("a b", PEOPLE, "letters"),
    ],
)
def test_what_cannot_be_one_is_400_and_says_why(api, instance, name, sent, named):
    answer = api.post(f"/instances/{instance.pk}/transformations/{name}", sent)

    assert answer.status_code == 400
    assert named in answer.json()["message"]


def test_mapped_fields_have_to_be_in_the_definition_where_there_is_one(api, instance):
    place, defined = f"/instances/{instance.pk}/transformations/people", f"/instances/{instance.pk}/{BOTH_KINDS[0]}"
    narrow = {"fields": DEFINITION["fields"][:1]}
    api.post(defined, narrow)

    assert "name.first" in api.post(place, PEOPLE).json()["message"]
    assert api.put(defined, DEFINITION).status_code == 200
    assert api.post(place, PEOPLE).status_code == 200
    refused = api.put(defined, narrow)
    assert refused.status_code == 409
    assert "name.first" in refused.json()["message"]


def test_hundred_of_a_kind_are_kept_and_not_one_more(api, instance):
    for number in range(100):
        instance.object_definitions[f"own{number}"] = DEFINITION
    instance.save()

    refused = api.post(f"/instances/{instance.pk}/objects/another/definitions", DEFINITION)

    assert refused.status_code == 400
    assert "100" in refused.json()["message"]
    assert api.put(f"/instances/{instance.pk}/objects/own5/definitions", DEFINITION).status_code == 200


def test_all_together_have_a_largest_size(api, instance):
    long = {"fields": [{"path": f"f{number}." + "x" * 60 + ".y" * 6, "type": "string"} for number in range(500)]}
    statuses = [api.post(f"/instances/{instance.pk}/objects/long{n}/definitions", long).status_code for n in range(8)]

    assert statuses[:4] == [200] * 4
    assert statuses[-1] == 400


@pytest.mark.parametrize("path", [*BOTH_KINDS, "objects/definitions", "transformations"])
def test_stranger_finds_none_of_it(api, stranger, instance, path):
    for known in BOTH_KINDS:
        api.post(f"/instances/{instance.pk}/{known}", body_for(known))
    intruder = Api(stranger).through(instance)

    for method in ("GET", "POST", "PUT", "DELETE"):
        sent = None if method == "GET" else body_for(path)
        assert intruder.call(method, f"/instances/{instance.pk}/{path}", sent).status_code in (404, 405)
        assert intruder.call(method, f"/instances/{path}", sent).status_code == 401
    instance.refresh_from_db()
    assert list(instance.transformations) == list(instance.object_definitions) == ["people"]


@pytest.mark.parametrize("path", BOTH_KINDS)
def test_viewer_reads_and_changes_nothing(api, colleague, instance, path):
    api.post(f"/instances/{instance.pk}/{path}", body_for(path))
    colleague.role = User.VIEWER
    colleague.save()
    viewer, place = Api(colleague), f"/instances/{instance.pk}/{path}"

    assert viewer.get(place).status_code == 200
    assert [viewer.put(place, PEOPLE).status_code, viewer.delete(place).status_code] == [403, 403]


POLLED = {
    "people": {
        "url": "/hubs/crm/people?where=changed>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
        "idField": "id",
        "datesConfiguration": {
            f"{which}Date{part}": value
            for which in ("updated", "created")
            for part, value in (("Field", "changed"), ("Format", "yyyy-MM-dd'T'HH:mm:ss'Z'"))
        },
    }
}
CHANGING = {**PEOPLE, "fields": [*PEOPLE["fields"], {"path": "changed", "vendorPath": "_info.lastUpdated"}]}


def configure(api, instance, pollers):
    return api.patch(f"/instances/{instance.pk}", {"configuration": {"event.poller.configuration": pollers}})


def test_transformation_that_a_poller_reads_stays_as_it_is(api, instance):
    place = f"/instances/{instance.pk}/transformations/people"
    assert configure(api, instance, POLLED).status_code == 400
    assert api.post(place, CHANGING).status_code == 200
    assert configure(api, instance, POLLED).status_code == 200

    for refused in (api.delete(place), api.put(place, PEOPLE)):
        assert refused.status_code == 409
        assert "people is polled" in refused.json()["message"]
    assert api.put(place, CHANGING).status_code == 200, "the same once more changes nothing"
    assert configure(api, instance, None).status_code == 200
    assert api.delete(place).status_code == 200


def test_resource_that_is_polled_cannot_be_hidden(api, owner):
    listening = InstanceFactory.create(user=owner, sent={"event.notification.enabled": True})

    refused = api.post(f"/instances/{listening.pk}/transformations/contacts", PEOPLE)

    assert refused.status_code == 409
    assert "contacts is polled" in refused.json()["message"]
    assert api.post(f"/instances/{listening.pk}/transformations/people", PEOPLE).status_code == 200


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"idField": "contactId"}, "people.idField: people is a transformation"),
        ({"url": "/hubs/crm/people?where=lastUpdated>'2020-01-01T00:00:00Z'"}, "people has no field 'lastUpdated'"),
        ({"url": "/people/5"}, "people.url"),
    ],
)
def test_poller_names_fields_as_the_transformation_does(api, instance, changed, named):
    api.post(f"/instances/{instance.pk}/transformations/people", CHANGING)

    answer = configure(api, instance, {"people": {**POLLED["people"], **changed}})

    assert answer.status_code == 400
    assert named in answer.json()["message"]
