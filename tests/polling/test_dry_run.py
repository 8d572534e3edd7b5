from __future__ import annotations

from datetime import timedelta

import orjson
import pytest
from django.db import connection

from connectors.change import CREATED, UPDATED
from connectors.sandbox import Sandbox
from instances.models import Instance
from polling import dry_run as dry_runs
from polling.dry_run import DryRun
from polling.dry_run_rows import CONFIRMED, IGNORED, NOTED
from polling.models import PollCursor
from tests.polling.driving import PAGED, cursor_of, poll, told
from tests.polling.hearing import hear, says

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def everything_stored() -> dict[str, object]:
    """Every row of every table and where it lies, so that even a write of the same values shows; every sequence."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [name for (name,) in cursor.fetchall()]
        stored: dict[str, object] = {}
        for table in tables:
            cursor.execute(f'SELECT row.ctid::text, row.xmin::text, row::text FROM "{table}" row ORDER BY 1')
            stored[table] = cursor.fetchall()
        cursor.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1")
        stored["sequences"] = cursor.fetchall()
    return stored


def dry_run(instance: Instance) -> DryRun:
    """Of its contacts; asserts that nothing was written."""
    cursor = PollCursor.objects.select_related("instance").get(instance=instance, resource="contacts")
    before = everything_stored()
    found = dry_runs.dry_run(cursor)
    assert everything_stored() == before
    return found


def fates(found: DryRun) -> dict[str, str]:
    return {row.object_id: row.outcome for row in found.rows}


def why(found: DryRun, object_id: str) -> str:
    [row] = [row for row in found.rows if row.object_id == object_id]
    return row.reason


@pytest.fixture
def changed(instance: Instance, sandbox: Sandbox) -> Instance:
    """Polled once; since then contact 3 was edited, a contact came, and contact 5 was reported already."""
    poll(instance)
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(5, title="CFO")
    sandbox.clock.advance(10 * SECOND)
    poll(instance)
    sandbox.contacts.edit(3, title="CFO")
    sandbox.contacts.add(firstName="New")
    sandbox.clock.advance(10 * SECOND)
    return instance


def test_it_finds_what_the_next_poll_reports_and_writes_nothing(changed, sandbox):
    before, reported = cursor_of(changed), told(changed)
    found = dry_run(changed)

    new_id = max(sandbox.contacts.ids())
    assert fates(found) == {"3": UPDATED, "5": IGNORED, str(new_id): CREATED}
    assert why(found, "5") == "seen before: an earlier poll reported it"
    assert "not greater" in why(found, "3")
    assert "is greater" in why(found, str(new_id))
    assert not found.trouble
    assert not found.is_cut

    poll(changed)
    assert sorted([*reported, (3, UPDATED), (new_id, CREATED)]) == told(changed)
    after = cursor_of(changed)
    assert found.before is not None
    assert found.after is not None
    assert (found.before.watermark, found.after.watermark) == (before.watermark, after.watermark)
    assert (found.before.remembered_since, found.after.remembered_since) == (
        before.remembered_since,
        after.remembered_since,
    )
    assert found.after.watermark > found.before.watermark


def test_it_shows_the_request_as_it_goes_out_without_its_secrets(changed, sandbox):
    sandbox.requests.clear()
    found = dry_run(changed)

    [sent], [received] = found.requests, sandbox.requests
    assert found.before is not None
    assert (sent.method, sent.status) == (received.method, 200)
    assert sent.url.startswith(f"{sandbox.base_url}/company/contacts?")
    assert f"lastUpdated>'{found.before.asks_since:%Y-%m-%dT%H:%M:%SZ}'" in found.path
    assert f"{found.before.asks_since:%Y-%m-%dT%H%%3A%M%%3A%SZ}" in sent.url
    assert sent.headers["Authorization"] == "********"
    assert sent.headers["pagination-type"] == received.headers["pagination-type"]
    said = f"{sent.headers}{sent.url}{sent.body}"
    assert sandbox.private_key not in said
    assert received.headers.get("clientid", "no id") not in said


def test_a_secret_that_somebody_wrote_into_the_url_is_masked(connect, sandbox):
    configuration = {
        "contacts": {**PAGED["contacts"], "url": f"/hubs/crm/contacts?where=title='{sandbox.private_key}'"}
    }
    found = dry_run(connect(sandbox, **{"event.poller.configuration": configuration}))

    for shown in (found.requests[0].url, found.path):
        assert sandbox.private_key not in shown
        assert "********" in shown


def test_the_notifications_are_those_that_would_be_sent(changed):
    found = dry_run(changed)

    assert found.notification_count == len(found.notifications) == 1
    message = orjson.loads(found.notifications[0])["message"]
    assert next((entry["eventType"], entry["objectId"]) for entry in message["events"]) == (UPDATED, "3")
    assert message["raw"]["contacts"][0]["title"] == "CFO"
    assert [(one.host, one.is_active) for one in found.receivers] == [("127.0.0.1", True)]


def test_before_the_first_poll_old_records_are_only_noted(instance, sandbox):
    sandbox.contacts.edit(4, at=sandbox.clock.now() - 30 * SECOND)
    found = dry_run(instance)

    assert fates(found) == {"4": NOTED}
    assert "before events began" in why(found, "4")
    assert found.notification_count == 0
    assert found.before is not None
    assert not found.before.is_baseline_read
    assert found.after is not None
    assert found.after.is_baseline_read


def test_what_callbacks_told_of_is_not_told_again(connect, sandbox):
    instance = connect(sandbox, **{"event.poller.configuration": ["contacts"]})
    Instance.objects.filter(pk=instance.pk).update(event_method="webhook")
    poll(instance)
    sandbox.clock.advance(MINUTE)
    hear(instance, says(sandbox.contacts.edit(6, title="CFO")))
    sandbox.clock.advance(MINUTE)

    assert fates(dry_run(instance)) == {"6": CONFIRMED}


def test_records_without_an_id_or_a_date_say_so(instance, sandbox):
    poll(instance)
    sandbox.behave(body='[{"name": "x"}, {"id": 900}]')
    found = dry_run(instance)

    assert [(row.object_id, row.outcome) for row in found.rows] == [("", IGNORED), ("900", UPDATED)]
    assert "no id" in found.rows[0].reason
    assert "no date" in found.rows[1].reason


def test_a_record_that_is_sent_twice_and_one_from_before_events_say_so(instance, sandbox):
    sandbox.behave(body='[{"id": 900}, {"id": 900}, {"id": 901, "_info": {"lastUpdated": "2001-01-01T00:00:00Z"}}]')
    found = dry_run(instance)

    assert [row.outcome for row in found.rows] == [NOTED, IGNORED, IGNORED]
    assert sorted(row.reason for row in found.rows if row.outcome == IGNORED) == [
        "it was saved before events began: nobody is told",
        "seen before: the provider has sent it twice",
    ]


def test_of_a_long_list_only_the_beginning_is_read(connect, sandbox):
    instance = connect(sandbox, **{"event.poller.configuration": PAGED})
    poll(instance)
    sandbox.clock.advance(MINUTE)
    for number in sandbox.contacts.ids():
        sandbox.contacts.edit(number)
    sandbox.requests.clear()
    found = dry_run(instance)

    assert found.is_cut
    assert (found.page_count, len(found.rows), len(found.requests)) == (3, 9, 3)
    assert len(sandbox.requests) == 3
    assert set(fates(found).values()) == {UPDATED}


def test_of_long_records_only_the_first_are_kept(connect, sandbox, monkeypatch):
    monkeypatch.setattr(dry_runs, "MOST_BYTES", 1)
    monkeypatch.setattr(dry_runs, "BYTES_SHOWN", 1)
    instance = connect(sandbox, **{"event.poller.configuration": {"contacts": {**PAGED["contacts"], "pageSize": 11}}})
    poll(instance)
    sandbox.clock.advance(MINUTE)
    for number in sandbox.contacts.ids():
        sandbox.contacts.edit(number)
    found = dry_run(instance)

    assert found.is_cut
    assert (found.page_count, found.notification_count, len(found.notifications)) == (1, 2, 1)


@pytest.mark.parametrize(
    ("behaviour", "trouble", "consequence"),
    [
        ({"status": 401}, "refused", "stops the polling"),
        ({"status": 429, "headers": {"Retry-After": "70"}}, "", "account wait"),
        ({"status": 500}, "", "nothing is missed"),
        ({"body": "<html>Maintenance</html>"}, "not a list of records", "nothing is missed"),
        ({"drop": True}, "broke the connection", "nothing is missed"),
    ],
    ids=["401", "429", "500", "HTML", "no answer"],
)
def test_what_goes_wrong_at_the_provider_is_told_and_written_nowhere(
    changed, sandbox: Sandbox, behaviour, trouble, consequence
):
    sandbox.behave(path="/company/contacts", **behaviour)
    found = dry_run(changed)

    assert found.trouble
    assert trouble in found.trouble
    assert consequence in found.consequence
    assert found.after is None
    assert found.notification_count == 0
    assert len(found.requests) == 1


def test_nothing_is_asked_while_the_configuration_cannot_be_read(changed, sandbox, settings):
    settings.FERNET_KEYS = ["NEW0NEW0NEW0NEW0NEW0NEW0NEW0NEW0NEW0NEW0NEW="]
    sandbox.requests.clear()
    found = dry_run(changed)

    assert "FERNET_KEYS" in found.trouble
    assert sandbox.requests == []
    assert found.requests == []


def test_a_resource_that_is_configured_no_more_says_so(instance):
    PollCursor.objects.update(resource="companies")
    found = dry_runs.dry_run(PollCursor.objects.get())

    assert found.trouble == "event.poller.configuration does not name companies any more."


def test_it_is_given_up_when_its_time_is_up_and_says_nothing_of_polls(changed, sandbox, monkeypatch):
    monkeypatch.setattr(dry_runs, "SECONDS", 0.0)
    sandbox.requests.clear()
    found = dry_run(changed)

    assert found.is_given_up
    assert (found.trouble, found.after, found.page_count) == ("", None, 0)
    assert sandbox.requests == []
