from __future__ import annotations

import logging
from datetime import datetime, timedelta

import orjson
import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from connectors.change import CREATED, UPDATED
from connectors.sandbox import Sandbox
from events.models import Event
from instances import heartbeats, provisioning
from instances.models import Heartbeat, Instance
from polling import schedule, tasks
from polling.models import PollCursor
from tests.polling.conftest import configuration_for, polling
from tests.polling.driving import cursor_of, poll, reports, told

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
STAMP = "yyyy-MM-dd'T'HH:mm:ss'Z'"


def poller(resource: str, *, created: str = "_info.lastUpdated", **settings: object) -> dict[str, object]:
    """`event.poller.configuration` for one resource, with settings laid over the default."""
    dates = {"updatedDateField": "_info.lastUpdated", "updatedDateFormat": STAMP}
    dates |= {"createdDateField": created, "createdDateFormat": STAMP}
    url = f"/hubs/crm/{resource}?where=lastUpdated>'${{gmtDate:{STAMP}}}'"
    return {
        "event.poller.configuration": {resource: {"url": url, "idField": "id", "datesConfiguration": dates, **settings}}
    }


def configure(instance: Instance, configuration: dict[str, object]) -> None:
    provisioning.update(instance_id=instance.pk, configuration=configuration)


def asked(sandbox: Sandbox, endpoint: str = "/company/contacts") -> str:
    """The conditions of the last list that was read."""
    return [one for one in sandbox.requests if one.endpoint == endpoint][-1].query["conditions"]


def wire(moment: datetime) -> str:
    return moment.strftime("[%Y-%m-%dT%H:%M:%SZ]")


# What is asked for


def test_a_poll_asks_for_the_overlap_before_its_watermark(instance, sandbox):
    began_at = sandbox.clock.now()
    poll(instance)
    assert asked(sandbox) == f"lastUpdated > {wire(began_at - 120 * SECOND)}"

    sandbox.clock.advance(5 * MINUTE)
    sandbox.contacts.edit(3)
    saved_at = sandbox.clock.now()
    sandbox.clock.advance(5 * MINUTE)
    poll(instance)
    poll(instance)
    assert cursor_of(instance).watermark == saved_at.replace(microsecond=0)
    assert asked(sandbox) == f"lastUpdated > {wire(saved_at - 120 * SECOND)}"


def test_a_poll_that_finds_nothing_keeps_the_watermark(instance, sandbox):
    before = cursor_of(instance).watermark
    sandbox.clock.advance(60 * MINUTE)
    poll(instance)

    assert cursor_of(instance).watermark == before
    assert cursor_of(instance).last_polled_at is not None


def test_a_worker_is_seen_while_it_reads(instance):
    heartbeats.begin()
    try:
        poll(instance)
    finally:
        heartbeats.end()

    assert Heartbeat.objects.get().queue == "polling"


def test_a_poll_delay_looks_further_back(connect, sandbox):
    instance = connect(sandbox, **poller("contacts", pollDelay=300))
    began_at = sandbox.clock.now()
    poll(instance)
    assert asked(sandbox) == f"lastUpdated > {wire(began_at - 420 * SECOND)}"

    sandbox.clock.advance(30 * MINUTE)
    sandbox.contacts.edit(3, at=sandbox.clock.now() - 6 * MINUTE, is_hidden=True)
    sandbox.contacts.edit(4)
    poll(instance)
    sandbox.contacts.reveal(3)
    poll(instance)
    poll(instance)
    assert told(instance) == [(3, UPDATED), (4, UPDATED)]


def test_pages_are_as_long_as_configured(connect, sandbox):
    for number in range(1, 13):
        sandbox.contacts.edit(number)
    instance = connect(sandbox, **poller("contacts", pageSize=5))
    sandbox.requests.clear()
    poll(instance)
    assert [one.query["pagesize"] for one in sandbox.requests] == ["5", "5", "5"]
    assert told(instance) == [(number, UPDATED) for number in range(1, 13)]  # saved in the second in which events began


# What is an event


def test_the_first_poll_reports_nothing_that_was_there_before(connect, sandbox):
    sandbox.contacts.edit(3, title="before events began")
    sandbox.contacts.add()
    sandbox.clock.advance(30 * SECOND)
    instance = connect(sandbox)
    poll(instance)
    poll(instance)
    assert told(instance) == []

    sandbox.clock.advance(SECOND)
    sandbox.contacts.edit(3, title="after")
    sandbox.contacts.edit(13, title="after")
    poll(instance)
    poll(instance)
    assert told(instance) == [(3, UPDATED), (13, UPDATED)]


def test_what_happens_between_creating_an_instance_and_its_first_poll_is_reported(instance, sandbox):
    sandbox.clock.advance(SECOND)
    sandbox.contacts.edit(3)
    sandbox.contacts.add()
    poll(instance)
    assert told(instance) == [(3, UPDATED), (13, CREATED)]


def test_contacts_are_new_when_their_id_is(instance, sandbox):
    poll(instance)
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(1)
    sandbox.contacts.add()
    created_and_edited = sandbox.contacts.add()["id"]
    sandbox.clock.advance(SECOND)
    sandbox.contacts.edit(created_and_edited, title="edited before anybody looked")
    poll(instance)
    done = [(1, UPDATED), (13, CREATED), (14, CREATED)]
    assert told(instance) == done

    sandbox.clock.advance(10 * MINUTE)
    sandbox.contacts.edit(13)
    sandbox.contacts.edit(14)
    poll(instance)
    assert told(instance) == sorted([*done, (13, UPDATED), (14, UPDATED)])


def test_contacts_stay_known_when_the_ledger_has_forgotten_them(instance, sandbox, settings):
    settings.TRACE_DAYS = 0
    poll(instance)
    for _ in range(4):
        sandbox.clock.advance(90 * MINUTE)
        sandbox.contacts.add()
        poll(instance)
    assert cursor_of(instance).known_id == 15

    for number in (13, 14, 15):
        sandbox.contacts.edit(number)
    poll(instance)
    assert told(instance) == sorted(
        [*((number, CREATED) for number in (13, 14, 15, 16)), *((number, UPDATED) for number in (13, 14, 15))]
    )


def test_tickets_are_new_when_they_say_so(connect, sandbox):
    old = sandbox.tickets.ids()[0]
    instance = connect(sandbox, **polling("incidents"))
    poll(instance)
    sandbox.clock.advance(MINUTE)
    sandbox.tickets.edit(old)
    new = sandbox.tickets.add()["id"]
    created_and_edited = sandbox.tickets.add()["id"]
    sandbox.clock.advance(20 * SECOND)
    sandbox.tickets.edit(created_and_edited)
    poll(instance)
    done = [(old, UPDATED), (new, CREATED), (created_and_edited, CREATED)]
    assert told(instance) == sorted(done)

    sandbox.clock.advance(10 * MINUTE)
    sandbox.tickets.edit(new)
    poll(instance)
    assert told(instance) == sorted([*done, (new, UPDATED)])


def test_two_different_date_fields_decide_within_their_tolerance(connect, sandbox):
    instance = connect(sandbox, **poller("incidents", created="_info.dateEntered", createdCheckTolerance=10))
    poll(instance)
    sandbox.clock.advance(MINUTE)
    soon, later = (sandbox.tickets.add()["id"] for _ in range(2))
    sandbox.clock.advance(10 * SECOND)
    sandbox.tickets.edit(soon)
    sandbox.clock.advance(SECOND)
    sandbox.tickets.edit(later)
    poll(instance)
    assert told(instance) == [(soon, CREATED), (later, UPDATED)]


def test_a_resource_is_reported_under_its_own_name(connect, sandbox):
    instance = connect(sandbox, **polling("contacts", "incidents", "organizations"))
    poll(instance)
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(1)
    sandbox.companies.edit(2)
    sandbox.tickets.edit(3)
    poll(instance)
    assert [(one.object_type, one.object_id) for one in reports(instance)] == [
        ("contacts", "1"),
        ("incidents", "3"),
        ("organizations", "2"),
    ]


@pytest.mark.parametrize("is_filtered", [True, False])
def test_nulls_are_left_out_of_what_is_reported_unless_asked_for(connect, sandbox, is_filtered):
    instance = connect(sandbox, **{"filter.response.nulls": is_filtered})
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3, company={"id": 1, "name": None})
    poll(instance)
    [report] = reports(instance)
    assert report.record["company"] == ({"id": 1} if is_filtered else {"id": 1, "name": None})


def test_records_stamped_after_the_poll_began_wait_where_that_is_configured(connect, sandbox):
    instance = connect(sandbox, **poller("contacts", filterByCurrentDate=True))
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3, at=sandbox.clock.now() + 30 * SECOND)
    sandbox.contacts.edit(4)
    poll(instance)
    assert told(instance) == [(4, UPDATED)]

    sandbox.clock.advance(MINUTE)
    poll(instance)
    poll(instance)
    assert told(instance) == [(3, UPDATED), (4, UPDATED)]


@pytest.mark.parametrize("raw, lengths", [("own", [10, 10, 5]), ("full", [25, 25, 25])])
def test_changes_come_ten_in_an_event_with_their_own_records_or_all(connect, sandbox, raw, lengths):
    instance = connect(sandbox, **{"event.notification.raw": raw})
    sandbox.clock.advance(MINUTE)
    added = [str(sandbox.contacts.add()["id"]) for _ in range(25)]
    poll(instance)

    messages = [orjson.loads(event.body)["message"] for event in Event.objects.order_by("id")]
    assert [entry["objectId"] for message in messages for entry in message["events"]] == added
    assert [len(message["events"]) for message in messages] == [10, 10, 5]
    assert [len(message["raw"]["contacts"]) for message in messages] == lengths


# Changes of the instance while it is polled


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["events off", "disable", "delete", "another interval"])
def test_a_poll_that_was_under_way_when_the_instance_changed_records_nothing(instance, sandbox, change):
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3)

    def change_it(_request: object) -> None:
        sandbox.on_request = None
        try:
            match change:
                case "events off":
                    configure(instance, {"event.notification.enabled": False})
                case "disable":
                    provisioning.disable(instance_id=instance.pk)
                case "delete":
                    provisioning.delete(instance_id=instance.pk)
                case "another interval":
                    configure(instance, {"event.poller.refresh_interval": 7})
        finally:
            connection.close()

    sandbox.on_request = change_it
    poll(instance)
    assert not Event.objects.exists()

    if change == "disable":
        provisioning.enable(instance_id=instance.pk)
    if change in ("disable", "another interval"):
        assert PollCursor.objects.get().failures == 0
        poll(instance)
        assert told(instance) == [(3, UPDATED)]


# Trouble at the provider


@pytest.mark.parametrize(
    "trouble, said",
    [
        ({"status": 500}, "500"),
        ({"status": 502}, "502"),
        ({"status": 400, "body": {"code": "InvalidObject", "message": "No such field"}}, "No such field"),
        ({"status": 404}, "404"),
        ({"status": 204}, "not a list"),
        ({"body": "<html><body>Sign in</body></html>"}, "not a list"),
        ({"body": b'[{"id":3},'}, "not a list"),
        ({"body": b'{"id":3}'}, "not a list"),
        ({"body": b""}, "not a list"),
        ({"body": b'[{"id":3,"title":"\xff"}]'}, "not a list"),
        ({"cut_after": 30}, ""),
        ({"drop": True}, ""),
        ({"headers": {"Date": "yesterday"}}, "Date header"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_trouble_changes_nothing_but_the_failure_and_costs_no_change(instance, sandbox, trouble, said):
    poll(instance)
    before = cursor_of(instance)
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3)
    sandbox.contacts.add()
    sandbox.behave(**trouble)
    poll(instance)

    after = cursor_of(instance)
    assert told(instance) == []
    assert (after.watermark, after.known_id, after.is_active) == (before.watermark, before.known_id, True)
    assert after.failures == 1
    assert after.last_error
    assert said in after.last_error
    assert schedule.claim(limit=9) == []  # it waits

    poll(instance)
    assert told(instance) == [(3, UPDATED), (13, CREATED)]
    assert (cursor_of(instance).failures, cursor_of(instance).last_error) == (0, "")


def test_a_provider_that_nobody_answers_for(connect):
    with Sandbox.start(contacts=2, companies=0, tickets=0) as sandbox:
        instance = connect(sandbox)
    poll(instance)
    assert cursor_of(instance).failures == 1


@pytest.mark.django_db(transaction=True)
def test_refused_credentials_stop_polling_until_they_are_replaced_and_nothing_is_missed(connect, sandbox):
    instance = connect(sandbox, **polling("contacts", "incidents"))
    poll(instance)
    sandbox.behave(path="/company", status=401, times=None)
    sandbox.behave(path="/service", status=401, times=None)
    poll(instance, "contacts")
    instance.refresh_from_db()
    assert not instance.is_valid
    assert "public.key" in instance.invalid_reason

    sandbox.requests.clear()
    poll(instance)
    tasks.poll(claims=[(cursor.pk, cursor.epoch) for cursor in PollCursor.objects.all()])
    assert sandbox.requests == []

    sandbox.clock.advance(60 * MINUTE)
    sandbox.contacts.edit(3)
    new = sandbox.contacts.add()["id"]
    sandbox.behave_well()
    configure(instance, {"private.key": sandbox.private_key})
    poll(instance)
    assert told(instance) == [(3, UPDATED), (new, CREATED)]


def test_a_closed_resource_leaves_the_others_open(connect, sandbox):
    instance = connect(sandbox, **polling("contacts", "incidents"))
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3)
    sandbox.behave(path="/service/tickets", status=403, times=None)
    poll(instance)

    assert told(instance) == [(3, UPDATED)]
    closed = cursor_of(instance, "incidents")
    assert (closed.failures, closed.is_active) == (1, True)
    assert "/service/tickets" in closed.last_error
    instance.refresh_from_db()
    assert instance.is_valid


@pytest.mark.parametrize("headers, seconds", [({"Retry-After": "77"}, 77), ({}, 30)])
def test_a_rate_limit_pauses_both_instances_of_one_account_and_no_other(connect, sandbox, stranger, headers, seconds):
    with Sandbox.start(contacts=3, companies=0, tickets=0) as other:
        limited, same_account, elsewhere = connect(sandbox), connect(sandbox, user=stranger), connect(other)
    sandbox.behave(status=429, headers=headers)
    poll(limited)

    waits = PollCursor.objects.annotate(wait=F("next_poll_at") - Now()).values_list("instance", "wait")
    by_instance = {instance_id: wait.total_seconds() for instance_id, wait in waits}
    assert seconds - 2 < by_instance[limited.pk] <= seconds + 1
    assert seconds - 2 < by_instance[same_account.pk] <= seconds + 1
    assert by_instance[elsewhere.pk] <= 0
    assert cursor_of(limited).failures == 0


def test_polling_stops_after_too_many_failures_and_resumes_without_a_gap(instance, sandbox, settings):
    settings.POLL_FAILURES_BEFORE_DISABLING = 3
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3)
    sandbox.behave(status=500, times=None)
    for _ in range(5):
        poll(instance)
    stopped = cursor_of(instance)
    assert (stopped.is_active, stopped.failures) == (False, 3)
    assert stopped.stopped_reason.startswith("Stopped after 3 polls of contacts failed in a row")

    sandbox.behave_well()
    provisioning.enable(instance_id=instance.pk)
    poll(instance)
    assert told(instance) == [(3, UPDATED)]


# Tasks


def claims() -> list[tuple[int, int]]:
    PollCursor.objects.update(next_poll_at=Now(), leased_until=None)
    return [(one.cursor_id, one.epoch) for one in schedule.claim(limit=100)]


@pytest.mark.django_db(transaction=True)
def test_a_poll_that_fails_by_our_fault_does_not_stop_the_next(connect, sandbox, caplog):
    broken, good = connect(sandbox), connect(sandbox)
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3)
    Instance.objects.filter(pk=broken.pk).update(configuration_encrypted="not encrypted by us")
    tasks.poll(claims=sorted(claims()))

    assert told(good) == [(3, UPDATED)]
    assert (cursor_of(broken).failures, cursor_of(broken).last_error) == (0, "A fault of ours; the log has it.")
    errors = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == ["poll failed by a fault of ours"]


@pytest.mark.django_db(transaction=True)
def test_a_message_from_a_newer_release_is_understood(instance, sandbox):
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3)
    tasks.poll(claims=claims(), colour="blue")
    assert told(instance) == [(3, UPDATED)]


def test_no_secret_and_no_query_reaches_the_log(instance, sandbox, caplog):
    with caplog.at_level(logging.DEBUG):
        sandbox.behave(status=401)
        poll(instance)
        configure(instance, configuration_for(sandbox))
        poll(instance)
    text = "".join(str(record.__dict__) for record in caplog.records if not record.name.startswith("django.db"))
    for secret in (sandbox.private_key, "lastUpdated", "conditions"):
        assert secret not in text
