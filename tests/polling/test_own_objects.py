"""Polling what an instance has under a name of its own."""

from __future__ import annotations

from connectors import registry
from instances import own_objects, provisioning
from polling.models import PollCursor
from tests.polling.conftest import configuration_for
from tests.polling.driving import poll, reports

FIELDS = {"key": "id", "name.first": "firstName", "changed": "_info.lastUpdated"}
PEOPLE = {"vendorName": "contacts", "fields": [{"path": own, "vendorPath": hub} for own, hub in FIELDS.items()]}
POLLER = {
    "people": {
        "url": "/hubs/crm/people?where=changed>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
        "idField": "key",
        "datesConfiguration": {
            f"{which}Date{part}": value
            for which in ("updated", "created")
            for part, value in (("Field", "changed"), ("Format", "yyyy-MM-dd'T'HH:mm:ss'Z'"))
        },
    }
}


def test_changes_are_told_in_the_instance_s_own_words(owner, sandbox):
    instance = provisioning.create(
        user=owner,
        element=registry.element("connectwisecrmrest"),
        name="CRM",
        configuration=configuration_for(sandbox) | {"event.notification.enabled": False},
    )
    provisioning.change_objects(instance_id=instance.pk, decide=own_objects.transform("people", PEOPLE, is_new=True))
    provisioning.update(
        instance_id=instance.pk,
        configuration={"event.notification.enabled": True, "event.poller.configuration": POLLER},
    )
    assert PollCursor.objects.get().known_id == sandbox.contacts.ids()[-1], "ids of the resource behind it"

    sandbox.clock.advance(seconds=60)
    sandbox.contacts.edit(3, firstName="Grace")
    created = sandbox.contacts.add(firstName="Ada")["id"]
    poll(instance, "people")

    told = {(one.object_id, one.event_type, one.object_type) for one in reports(instance)}
    assert told == {("3", "UPDATED", "people"), (str(created), "CREATED", "people")}
    [edited] = [one.record for one in reports(instance) if one.object_id == "3"]
    assert edited.keys() == {"key", "name", "changed"}
    assert edited["name"] == {"first": "Grace"}
