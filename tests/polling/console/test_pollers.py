from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from events.models import Event
from instances.models import AuditEntry, Instance, User
from polling import dry_run, schedule
from polling.console import poller_state
from polling.models import PollCursor, PollRun
from tests.factories import InstanceFactory, UserFactory
from tests.polling.driving import cursor_of, poll

pytestmark = pytest.mark.django_db

PAGE = "/console/polling/pollcursor/"
LATER = Now() + timedelta(hours=1)


@pytest.fixture
def waiting(connect, sandbox) -> PollCursor:
    instance = connect(sandbox)
    PollCursor.objects.update(next_poll_at=LATER, failures=2, last_error="ConnectWise is <down>")
    return PollCursor.objects.get(instance=instance)


@pytest.fixture
def viewer(owner) -> User:
    return UserFactory.create(organization=owner.organization, role=User.VIEWER)


def poll_now(client, *cursors: PollCursor):
    return client.post(PAGE, {"action": "poll_now", "_selected_action": [one.pk for one in cursors]}, follow=True)


def in_place(client, method: str, url: str, **data: str) -> str:
    """What htmx gets."""
    answer = getattr(client, method)(url, data, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return str(answer.content.decode())


def due() -> list[int]:
    return [one.cursor_id for one in schedule.claim(limit=9)]


def many_pollers(owner: User, count: int) -> None:
    for instance in InstanceFactory.create_batch(count, user=owner):
        PollCursor.objects.create(
            instance=instance,
            resource="contacts",
            reads="contacts",
            watermark=timezone.now(),
            baseline_at=timezone.now(),
        )


def test_the_list_tells_how_far_each_resource_is_read_and_what_is_in_the_way(client, owner, waiting):
    client.force_login(owner)
    page = client.get(PAGE).content.decode()

    for shown in ("contacts", "The last 2 polls failed: ConnectWise is &lt;down&gt;", "Failing", "every 1 min", "CRM"):
        assert shown in page
    assert "No poller matches" in client.get(f"{PAGE}?instance={waiting.instance_id}&state=polling").content.decode()
    assert f"poller-{waiting.pk}-state" in client.get(f"{PAGE}?state=failing").content.decode()


@pytest.mark.parametrize("count", [3, 30])
def test_the_list_costs_the_same_for_few_and_many(client, owner, django_assert_max_num_queries, count):
    many_pollers(owner, count)
    client.force_login(owner)
    with django_assert_max_num_queries(12):
        client.get(PAGE)


def test_the_page_shows_the_last_polls_and_the_configuration(client, owner, instance, sandbox):
    poll(instance)
    sandbox.clock.advance(timedelta(minutes=1))
    sandbox.contacts.edit(3)
    poll(instance)
    PollRun.objects.create(instance=instance, resource="contacts", error="<b>Maintenance</b>")
    client.force_login(owner)
    page = client.get(f"{PAGE}{cursor_of(instance).pk}/change/").content.decode()

    for shown in (
        "1 change",
        "Found changes",
        "&lt;b&gt;Maintenance&lt;/b&gt;",
        "/hubs/crm/contacts?where=lastUpdated&gt;",
        "_info.lastUpdated, written",
        "the date of entry tells where records have one",
    ):
        assert shown in page
    live = in_place(client, "get", f"{PAGE}{cursor_of(instance).pk}/change/")
    assert "Recent polls" in live
    assert "<html" not in live


def test_a_configuration_that_cannot_be_read_is_told_on_the_page(client, owner, waiting, settings):
    settings.FERNET_KEYS = ["NEW0NEW0NEW0NEW0NEW0NEW0NEW0NEW0NEW0NEW0NEW="]
    client.force_login(owner)

    assert "FERNET_KEYS" in client.get(f"{PAGE}{waiting.pk}/change/").content.decode()


def test_nobody_adds_changes_or_deletes_a_poller(client, owner, waiting):
    client.force_login(owner)
    assert client.get(f"{PAGE}add/").status_code == 403
    assert client.post(f"{PAGE}{waiting.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{PAGE}{waiting.pk}/change/", {"resource": "x"}).status_code == 403


def test_poll_now_makes_the_chosen_ones_due(client, owner, waiting):
    client.force_login(owner)
    page = poll_now(client, waiting).content.decode()

    assert "1 resource(s) will be polled now." in page
    assert due() == [waiting.pk]
    assert AuditEntry.objects.get().action == "asked for a poll"


def test_poll_now_says_so_when_a_resource_is_stopped(client, owner, waiting):
    PollCursor.objects.update(is_active=False, stopped_reason="The instance is disabled.")
    client.force_login(owner)

    assert "stay so" in poll_now(client, waiting).content.decode()
    assert due() == []
    assert "Stopped" in in_place(client, "post", f"{PAGE}{waiting.pk}/poll/")


def test_poll_now_in_place_tells_when_a_worker_has_polled(client, owner, instance, sandbox):
    cursor = cursor_of(instance)
    PollCursor.objects.update(next_poll_at=LATER)
    sandbox.contacts.edit(3)
    client.force_login(owner)

    asked = in_place(client, "post", f"{PAGE}{cursor.pk}/poll/")
    [again] = [part.split('"')[0] for part in asked.split('hx-get="')[1:]]
    again = again.replace("&amp;", "&")
    assert "Polling …" in asked
    assert "Polling …" in client.get(again).content.decode()
    poll(instance)
    polled = client.get(again).content.decode()

    assert "Polled: 1 change" in polled
    assert f'id="poller-{cursor.pk}-last_poll"' in polled
    assert AuditEntry.objects.get(subject="poller of contacts").action == "asked for a poll"


def test_poll_now_in_place_says_why_a_poll_failed_and_when_no_worker_comes(client, owner, waiting):
    client.force_login(owner)
    long_ago = (timezone.now() - timedelta(hours=1)).isoformat()

    assert "No worker has polled it" in in_place(client, "get", f"{PAGE}{waiting.pk}/poll/", asked_at=long_ago)
    PollCursor.objects.update(last_polled_at=Now())
    failed = in_place(client, "get", f"{PAGE}{waiting.pk}/poll/", asked_at=long_ago)
    assert "Failed: ConnectWise is &lt;down&gt;" in failed
    assert in_place(client, "get", f"{PAGE}{waiting.pk}/poll/", asked_at="yesterday")


def test_lists_are_kept_true_in_place(client, owner, waiting, stranger):
    client.force_login(owner)
    assert f'id="poller-{waiting.pk}-next_poll"' in client.get(f"{PAGE}live/?id={waiting.pk}&id=x").content.decode()
    client.force_login(stranger)
    assert client.get(f"{PAGE}live/?id={waiting.pk}").content == b""


def test_what_failures_stopped_is_started_again(client, owner, waiting):
    PollCursor.objects.update(is_active=False, stopped_reason="Stopped after 9 polls of contacts failed in a row")
    client.force_login(owner)

    assert "Start again" in client.get(f"{PAGE}{waiting.pk}/change/").content.decode()
    assert "goes on where it stood" in client.post(f"{PAGE}{waiting.pk}/start/", follow=True).content.decode()
    waiting.refresh_from_db()
    assert (waiting.is_active, waiting.failures, waiting.last_error) == (True, 0, "")
    assert due() == [waiting.pk]


def test_a_disabled_instance_is_not_enabled_by_the_way(client, owner, waiting):
    Instance.objects.update(is_disabled=True)
    PollCursor.objects.update(is_active=False)
    client.force_login(owner)

    assert "enable it on its page first" in client.post(f"{PAGE}{waiting.pk}/start/", follow=True).content.decode()
    assert due() == []


def test_a_stranger_finds_nothing(client, stranger, waiting):
    client.force_login(stranger)
    own = f"{PAGE}{waiting.pk}"

    assert "ConnectWise is" not in client.get(PAGE).content.decode()
    poll_now(client, waiting)
    for url in (f"{own}/change/", f"{own}/poll/", f"{own}/dry-run/", f"{PAGE}?instance={waiting.instance_id}"):
        assert client.get(url).status_code == 404
    for url in (f"{own}/poll/", f"{own}/dry-run/", f"{own}/start/"):
        assert client.post(url).status_code == 404
    assert due() == []


def test_a_viewer_looks_and_operates_nothing(client, viewer, waiting, sandbox):
    client.force_login(viewer)
    own = f"{PAGE}{waiting.pk}"
    sandbox.requests.clear()

    page = client.get(PAGE).content.decode()
    assert "ConnectWise is &lt;down&gt;" in page
    assert "Poll now" not in page
    assert "Dry run" not in client.get(f"{own}/change/").content.decode()
    poll_now(client, waiting)
    for url in (f"{own}/poll/", f"{own}/dry-run/", f"{own}/start/"):
        assert client.post(url).status_code == 403
    assert client.get(f"{own}/dry-run/").status_code == 403
    assert (due(), sandbox.requests) == ([], [])


def test_a_dry_run_shows_requests_rows_notifications_and_the_cursor(client, owner, instance, sandbox):
    poll(instance)
    sandbox.clock.advance(timedelta(minutes=1))
    sandbox.contacts.edit(3, title="<img src=x onerror=alert(1)>")
    cursor = cursor_of(instance)
    client.force_login(owner)
    url = f"{PAGE}{cursor.pk}/dry-run/"

    assert "It changes nothing" in client.get(url).content.decode()
    result = in_place(client, "post", url)
    for shown in (
        "report 1 of them in 1 event",
        f"GET {sandbox.base_url}/company/contacts?pageSize=1000&amp;conditions=lastUpdated",
        "Authorization: ********",
        "Its id is not greater than those that were there before",
        "&lt;img src=x onerror=alert(1)&gt;",
        "The dry run has not moved it.",
    ):
        assert shown in result
    assert "<img" not in result
    assert sandbox.private_key not in result
    assert cursor_of(instance).watermark == cursor.watermark
    assert not Event.objects.exists()
    assert AuditEntry.objects.get().action == "ran a poller dry"
    assert "<html" in client.post(url).content.decode()  # as it is without scripts


def test_a_dry_run_says_what_the_provider_has_against_it(client, owner, waiting, sandbox, monkeypatch):
    sandbox.behave(path="/company/contacts", status=500, body="<h1>Sorry</h1>")
    client.force_login(owner)
    result = in_place(client, "post", f"{PAGE}{waiting.pk}/dry-run/")

    assert "A poll would fail:" in result
    assert "HTTP 500" in result
    assert "<h1>" not in result
    monkeypatch.setattr(dry_run, "SECONDS", 0.0)
    result = in_place(client, "post", f"{PAGE}{waiting.pk}/dry-run/")
    assert "no page came in time" in result
    assert "would fail" not in result
    assert "the same" not in result
    Instance.objects.update(is_disabled=True)
    sandbox.requests.clear()
    assert "Enable it first" in in_place(client, "post", f"{PAGE}{waiting.pk}/dry-run/")
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({}, poller_state.POLLING),
        ({"failures": 1, "last_error": "x"}, poller_state.FAILING),
        ({"last_error": "Rate limited"}, poller_state.HELD_UP),
        ({"next_poll_at": Now() - timedelta(minutes=9)}, poller_state.BEHIND),
        ({"next_poll_at": Now() - timedelta(minutes=9), "leased_until": LATER}, poller_state.POLLING),
        ({"is_active": False, "stopped_reason": "x", "failures": 3}, poller_state.STOPPED),
    ],
)
def test_the_word_of_a_poller_and_the_filter_of_the_list_agree(owner, columns, state):
    many_pollers(owner, 1)
    PollCursor.objects.update(**columns)
    cursor, now = PollCursor.objects.get(), timezone.now()

    assert poller_state.state_of(cursor, now=now) == state
    found = [one for one in poller_state.STATES if PollCursor.objects.filter(poller_state.in_state(one, now=now))]
    assert found == [state]
    assert bool(poller_state.obstacle_of(cursor, now=now).what) == (state != poller_state.POLLING)
