"""Jobs and polled resources over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from instances import provisioning
from instances.models import Instance, User
from polling import poll_jobs, schedule
from polling.models import Job, PollCursor
from tests.api_client import Api
from tests.factories import InstanceFactory
from tests.polling.driving import cursor_of

pytestmark = pytest.mark.django_db

JOB = {"name": "Nightly", "method": "GET", "uri": "/hubs/crm/contacts", "trigger": {"cron": "0 0 3 * * ? *"}}


def polled(user: User, *resources: str) -> Instance:
    """An instance with cursors, as switching events on leaves it."""
    instance = InstanceFactory.create(user=user, sent={"event.notification.enabled": True})
    for resource in resources:
        PollCursor.objects.create(
            instance=instance,
            resource=resource,
            reads=resource,
            watermark=datetime(2026, 1, 1, tzinfo=UTC),
            baseline_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
    return instance


@pytest.fixture
def instance(owner):
    return polled(owner, "contacts", "incidents")


@pytest.fixture
def caller(api, instance):
    return api.through(instance)


def test_nothing_is_an_empty_list(api):
    for path in ("/jobs", "/jobs/polling-disabled", "/instances/polling-disabled"):
        answer = api.get(path)
        assert (answer.status_code, answer.json()) == (200, [])


def test_every_polled_instance_is_a_job(api, instance, owner):
    InstanceFactory.create(user=owner)  # not polled
    [job] = api.get("/jobs").json()

    assert job["id"] == f"poll-{instance.pk}"
    assert (job["elementInstanceId"], job["disabled"], job["trigger"]) == (
        instance.pk,
        False,
        {"intervalMinutes": 15.0},
    )
    assert [one["objectName"] for one in job["resources"]] == ["contacts", "incidents"]
    assert job["nextRunDate"].endswith("Z")
    assert job["lastRunDate"] is None
    assert api.get(f"/jobs/{job['id']}").json() == job


def test_jobs_are_made_shown_and_deleted(caller, api, instance):
    made = caller.post("/jobs", JOB | {"headers": {"Authorization": "canary"}, "query": {"pageSize": 5}})
    assert made.status_code == 200
    job = made.json()
    assert (job["name"], job["method"], job["uri"], job["trigger"]) == (
        JOB["name"],
        "GET",
        JOB["uri"],
        {"cron": "0 0 3 * * ? *"},
    )
    assert job["query"] == {"pageSize": "5"}
    assert "canary" not in made.content.decode()
    assert job["nextRunDate"].endswith("T03:00:00Z")

    assert api.get(f"/jobs/{job['id']}").json() == job
    assert [one["id"] for one in api.get("/jobs").json()] == [f"poll-{instance.pk}", job["id"]]
    deleted = api.delete(f"/jobs/{job['id']}")
    assert (deleted.status_code, deleted.content) == (200, b"")
    assert api.get(f"/jobs/{job['id']}").status_code == 404
    assert api.delete(f"/jobs/{job['id']}").status_code == 404


def test_a_job_needs_the_token_of_its_instance(api, caller, instance):
    refused = api.post("/jobs", JOB)
    assert (refused.status_code, "Element token" in refused.json()["message"]) == (401, True)
    assert caller.post("/jobs", {}).status_code == 400
    assert caller.post("/jobs", []).status_code == 400
    instance.is_disabled = True
    instance.save()
    assert caller.post("/jobs", JOB).status_code == 403
    assert Job.objects.count() == 0


def test_deleting_a_poll_job_stops_the_polls_and_keeps_how_far_they_came(api, instance):
    before = cursor_of(instance)
    [claim, _] = schedule.claim(limit=10)
    assert api.delete(f"/jobs/poll-{instance.pk}").status_code == 200

    cursor = cursor_of(instance)
    assert (cursor.is_active, cursor.stopped_reason, cursor.watermark) == (False, poll_jobs.DELETED, before.watermark)
    with pytest.raises(schedule.LostLease):
        schedule.begin(claim)
    assert schedule.claim(limit=10) == []
    for path in (f"/jobs/poll-{instance.pk}", "/jobs/poll-0"):
        assert api.get(path).status_code == api.delete(path).status_code == 404
    for path in ("/jobs", "/jobs/polling-disabled", "/instances/polling-disabled"):
        assert api.get(path).json() == []  # nobody has to look at what was asked for


def test_a_deleted_poll_job_is_back_once_the_configuration_changes(connect, sandbox, api):
    instance = connect(sandbox)
    watermark = cursor_of(instance).watermark
    api.delete(f"/jobs/poll-{instance.pk}")
    sandbox.clock.advance(schedule.LEASE)
    provisioning.update(instance_id=instance.pk, configuration={"event.poller.refresh_interval": 2})

    cursor = cursor_of(instance)
    assert (cursor.is_active, cursor.watermark) == (True, watermark)
    assert api.get(f"/jobs/poll-{instance.pk}").json()["disabled"] is False


@pytest.mark.parametrize(
    "reason", [schedule.CREDENTIALS_REFUSED, "Stopped after 100 polls of contacts failed in a row"]
)
def test_what_went_wrong_is_listed_as_disabled(api, owner, instance, reason):
    polled(owner, "contacts")
    PollCursor.objects.filter(instance=instance, resource="contacts").update(is_active=False, stopped_reason=reason)

    [job] = api.get("/jobs/polling-disabled").json()
    assert (job["id"], job["disabled"]) == (f"poll-{instance.pk}", False)  # incidents are polled on
    [shown] = api.get("/instances/polling-disabled").json()
    assert shown["id"] == instance.pk
    assert [(one["objectName"], one["disabledReason"]) for one in shown["pollingDisabled"]] == [("contacts", reason)]

    PollCursor.objects.filter(instance=instance).update(is_active=False, stopped_reason=reason)
    assert api.get(f"/jobs/poll-{instance.pk}").json()["disabledReason"] == reason


def test_one_record_per_polled_object_of_the_token(caller, api, instance):
    records = caller.get("/instances/event-poller-records").json()
    assert [one["objectName"] for one in records] == ["contacts", "incidents"]
    assert api.get("/instances/event-poller-records").status_code == 401

    PollCursor.objects.filter(instance=instance, resource="contacts").delete()
    assert len(caller.get("/instances/event-poller-records").json()) == 1


def test_records_shrink_at_once_when_objects_are_dropped(connect, sandbox, api):
    instance = connect(sandbox, **{"event.poller.configuration": ["contacts", "incidents"]})
    caller = api.through(instance)
    assert len(caller.get("/instances/event-poller-records").json()) == 2
    provisioning.update(instance_id=instance.pk, configuration={"event.poller.configuration": ["incidents"]})

    assert [one["objectName"] for one in caller.get("/instances/event-poller-records").json()] == ["incidents"]


def test_pages_walk_over_both_kinds(api, caller, owner):
    for _ in range(2):
        caller.post("/jobs", JOB)
    polled(owner, "contacts")
    everything = [one["id"] for one in api.get("/jobs").json()]
    walked, token = [], "null"
    while token:
        answer = api.get("/jobs", pageSize=1, nextPage=token)
        walked += [one["id"] for one in answer.json()]
        token = answer.headers.get("Elements-Next-Page-Token", "")

    assert walked == everything
    assert [one.split("-")[0] for one in everything] == ["poll", "poll", "job", "job"]
    assert [one["id"] for one in api.get("/jobs", pageSize=3, page=2).json()] == everything[3:]
    assert api.get("/jobs", page=10**30).json() == []
    for wrong in (
        {"pageSize": 0},
        {"page": "x"},
        {"nextPage": "nonsense"},
        {"nextPage": "%00"},
        {"nextPage": "cG9sbC14"},
    ):
        assert api.get("/jobs", **wrong).status_code == 400


@pytest.mark.parametrize("job_id", ["x", "0", "-1", "job-0", "job--1", "poll-x", "poll-" + "9" * 30, "job-999999"])
def test_what_is_no_job_is_not_there(api, job_id):
    assert api.get(f"/jobs/{job_id}").status_code == 404
    assert api.delete(f"/jobs/{job_id}").status_code == 404


def test_a_stranger_finds_none_of_it(caller, stranger, instance):
    job = caller.post("/jobs", JOB).json()
    PollCursor.objects.filter(resource="contacts").update(is_active=False, stopped_reason="x")
    other = Api(stranger)

    for path in ("/jobs", "/jobs/polling-disabled", "/instances/polling-disabled"):
        assert other.get(path).json() == []
    for path in (f"/jobs/{job['id']}", f"/jobs/poll-{instance.pk}"):
        assert other.get(path).status_code == other.delete(path).status_code == 404
    assert PollCursor.objects.filter(is_active=True).count() == Job.objects.count() == 1


def test_viewers_look_and_see_no_bodies(caller, colleague, instance):
    job = caller.post("/jobs", JOB | {"query": {"where": "canary = 1"}}).json()
    User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)
    viewer = Api(User.objects.get(pk=colleague.pk)).through(instance)

    shown = viewer.get(f"/jobs/{job['id']}")
    assert shown.status_code == 200
    assert "canary" not in shown.content.decode()
    assert viewer.post("/jobs", JOB).status_code == 403
    assert viewer.delete(f"/jobs/{job['id']}").status_code == 403
    assert viewer.delete(f"/jobs/poll-{instance.pk}").status_code == 403
    assert Job.objects.count() == 1
