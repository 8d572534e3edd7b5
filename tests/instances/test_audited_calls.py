"""What calls of the API changed stands in the audit log, with whose call it was and no secret."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.serializers import serialize

from events.models import Delivery
from instances import audit
from instances.models import AuditEntry, User
from tests.api_client import Api
from tests.factories import PASSWORD, InstanceFactory, UserFactory

JOB = {"name": "Nightly", "method": "GET", "uri": "/hubs/crm/contacts", "trigger": {"cron": "0 0 3 * * ? *"}}
RECEIVER = "https://app.example.com/x?key=canary"
DEFINITION = {"fields": [{"path": "id", "type": "number"}]}


@pytest.fixture
def noted(db) -> Callable[[], list[tuple[str, str, str]]]:
    """What is new since the last look."""
    last = [0]

    def look() -> list[tuple[str, str, str]]:
        new = AuditEntry.objects.filter(pk__gt=last[0]).order_by("pk")
        rows = list(new.values_list("pk", "action", "subject", "detail"))
        last[0] = max((pk for pk, *_ in rows), default=last[0])
        return [(action, subject, detail) for _, action, subject, detail in rows]

    return look


def test_an_instance_from_its_first_day_to_its_last(api, owner, body, sandbox, noted):
    instance = api.post("/instances", body).json()
    path = f"/instances/{instance['id']}"
    assert noted() == [("created the instance", "", "of connectwisecrmrest")]

    api.patch(
        path, {"configuration": {"event.notification.enabled": True, "event.notification.signature.key": "k" * 24}}
    )
    assert [action for action, *_ in noted()] == ["switched events on", "changed the signature key"]
    api.patch(path, {"configuration": {"event.notification.enabled": True}})
    assert noted() == []
    api.patch(path, {"name": "Other", "configuration": {"private.key": sandbox.private_key}})
    assert noted() == [("changed the instance", "", "name, private.key")]
    api.patch(path, {"configuration": {"event.notification.enabled": False, "event.notification.signature.key": None}})
    assert [action for action, *_ in noted()] == ["switched events off", "removed the signature key"]
    interval = next(
        one for one in api.get(f"{path}/configuration").json() if one["key"] == "event.poller.refresh_interval"
    )
    api.patch(f"{path}/configuration/{interval['id']}", {"propertyValue": "30"})
    assert noted() == [("changed the instance", "", "event.poller.refresh_interval")]
    assert api.patch(path, {"configuration": {"company": "elsewhere"}}).status_code == 400
    assert noted() == []

    api.delete(f"{path}/enabled")
    api.put(f"{path}/enabled")
    api.delete(path)
    assert [action for action, *_ in noted()] == [
        "disabled the instance",
        "enabled the instance",
        "deleted the instance",
    ]
    for entry in AuditEntry.objects.all():
        assert (entry.user_id, entry.who, entry.through) == (owner.pk, owner.email, audit.API)
        assert (entry.organization_id, entry.instance_id) == (owner.organization_id, instance["id"])
    everything = serialize("json", AuditEntry.objects.all())
    assert sandbox.private_key not in everything
    assert "kkkk" not in everything


def test_what_else_people_set_up_and_ask_for(api, owner, noted):
    instance = InstanceFactory.create(user=owner)
    through, path = api.through(instance), f"/instances/{instance.pk}"
    subscription = {"channel": "webhook", "topics": ["news"], "config": {"url": RECEIVER}}

    subscription_id = api.post("/notifications/subscriptions", subscription).json()["id"]
    event_id = api.post("/notifications", {"topic": "news", "message": "canary"}).json()["id"]
    api.delete(f"/notifications/{event_id}")
    Delivery.objects.update(state=Delivery.QUEUED)
    meant = f"config.url='{RECEIVER}' and status='queued'"
    assert api.call("PUT", "/notifications/subscriptions/deliveries", where=meant).status_code == 200
    api.delete(f"/notifications/subscriptions/{subscription_id}")
    api.patch("/accounts/settings", {"notification.retention.days": 10})
    replay = api.post("/replays", {"instanceId": instance.pk, "rate": 5}).json()
    job = through.post("/jobs", JOB)
    api.delete(f"/jobs/{job.json()['id']}")
    bulk = through.call("POST", "/bulk/query", q="select * from contacts").json()
    through.put(f"/bulk/{bulk['id']}/cancel")
    api.post(f"{path}/objects/mine/definitions", DEFINITION)
    api.delete(f"{path}/objects/mine/definitions")
    api.call("PUT", f"{path}/callbacks", state="parked")

    assert [(action, subject) for action, subject, _ in noted()] == [
        ("added the subscription", f"subscription {subscription_id}"),
        ("deleted the event", f"event {event_id}"),
        ("redelivered", "0 deliveries"),
        ("deleted the subscription", f"subscription {subscription_id}"),
        ("changed the settings", "organization"),
        ("began a replay", f"replay {replay['id']}"),
        ("added a job", job.json()["id"].replace("-", " ")),
        ("deleted a job", job.json()["id"].replace("-", " ")),
        ("began a bulk download", f"bulk download {bulk['id']} of contacts"),
        ("cancelled a bulk download", f"bulk download {bulk['id']} of contacts"),
        ("set the definition", "mine"),
        ("deleted the definition", "mine"),
        ("tried parked callbacks again", "0 callbacks"),
    ]
    assert "canary" not in serialize("json", AuditEntry.objects.all())


def test_who_gets_their_secrets_with_a_login_is_noted(owner, client):
    anybody = Api(None)
    token = anybody.post("/authentication", {"username": owner.email, "password": PASSWORD}).json()["token"]
    anybody.call("GET", "/authentication/secrets", authorization=f"Bearer {token}")
    client.post("/console/login/", {"username": owner.email, "password": PASSWORD})

    found = AuditEntry.objects.order_by("pk").values_list("who", "action", "through", "organization_id")
    assert list(found) == [
        (owner.email, "signed in", "api", owner.organization_id),
        (owner.email, "looked at their secrets", "api", owner.organization_id),
        (owner.email, "signed in", "console", owner.organization_id),
    ]


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_what_was_refused_is_not_noted_as_done(owner, method):
    instance = InstanceFactory.create(user=owner)
    viewer = Api(UserFactory.create(organization=owner.organization, role=User.VIEWER))

    assert viewer.call(method.upper(), f"/instances/{instance.pk}", {"name": "mine"}).status_code == 403
    assert not AuditEntry.objects.exists()
