"""Replays at the console: asked for, looked at before they begin, watched, changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from events import replays
from events.deliver import drain
from events.models import Delivery, Event, Replay, Subscription
from instances.models import Instance, User
from tests.events.conftest import make_instance, publish
from tests.events.console.signed_in import console, noted

pytestmark = pytest.mark.django_db
LIST, ADD = "/console/events/replay/", "/console/events/replay/add/"


@pytest.fixture
def delivered(instance, sink) -> list[Event]:
    events = publish(instance, 3)
    drain()
    sink.received.clear()
    return events


def begin(client, **asked) -> Replay:
    answer = client.post(ADD, {"statuses": "delivered", "step": "begin"} | asked)
    assert answer.status_code == 302
    replay = Replay.objects.latest("pk")
    assert answer["Location"] == f"{LIST}{replay.pk}/change/"
    return replay


def test_what_is_asked_for_is_looked_at_then_begun_and_watched(owner, instance, subscription, delivered, sink):
    client = console(owner)
    asked = {"instance": f"{instance.name} ({instance.pk})", "statuses": ["delivered", "queued"], "rate": "1000"}

    preview = client.post(ADD, {**asked, "step": "preview"})
    shown = preview.content.decode()
    assert "3 deliveries would begin again" in shown
    assert "about 1 second at 1,000 per second" in shown
    assert sink.url.partition("?")[0] in shown
    assert [one["row"].count for one in preview.context["recipients"]] == [3]
    assert not Replay.objects.exists()
    assert noted() == []

    replay = begin(client, **asked)
    assert (replay.total, replay.rate, replay.created_by) == (3, 1000, owner)
    assert replay.wanted == {"instanceId": instance.pk, "statuses": ["delivered", "queued"]}
    assert noted() == [f"began a replay: replay {replay.pk}"]

    page = client.get(f"{LIST}{replay.pk}/change/").content.decode()
    assert "0 of 3 deliveries so far" in page
    assert 'hx-trigger="every 2s"' in page
    Replay.objects.update(total=20_000)
    assert 'hx-trigger="every 5s"' in client.get(f"{LIST}{replay.pk}/change/").content.decode()
    Replay.objects.update(total=3)
    replays.sweep()
    replays.sweep()
    drain()
    over = client.get(f"{LIST}{replay.pk}/progress/").content.decode()
    assert "Finished: 3 of 3 deliveries were begun again." in over
    assert "hx-trigger" not in over
    assert 'id="replay-said"' in over
    assert len(sink.received) == 3


def test_the_form_is_filled_in_by_links_and_loses_nothing_that_was_typed(owner, instance, delivered):
    client = console(owner)
    query = {
        "subscription": str(Subscription.objects.get().pk),
        "statuses": ["delivered"],
        "from": "2026-11-22T10:00:00Z",
        "to": "2026-11-23T10:00",
        "events": "17",
        "rate": "7",
        "reactivate": "on",
    }

    form = client.get(ADD, query)
    typed = form.context["typed"]
    assert typed.statuses == ("delivered",)
    assert typed.reactivates
    assert form.context["moments"] == {"from": "2026-11-22T10:00:00", "to": "2026-11-23T10:00:00"}
    assert client.get(ADD).context["typed"].statuses == ("queued", "abandoned")

    back = client.post(ADD, {**query, "step": "edit"}).context["typed"]
    assert dict(back.pairs) == dict(typed.pairs)


@pytest.mark.parametrize(
    "asked, field, words",
    [
        ({"rate": "quick"}, "rate", "Send a whole number from 1 to 1000"),
        ({"rate": "0"}, "rate", "Send a whole number from 1 to 1000"),
        ({"from": "2026-11-23T00:00", "to": "2026-11-22T00:00"}, "to", "to is before from"),
        ({"from": "yesterday"}, "from", "Send a moment such as"),
        ({"events": "12, x"}, "events", "X is no id"),
        ({"events": "987654321"}, "events", "There is no event 987654321"),
        ({"deliveries": "99999999999999999999999"}, "deliveries", "is no id"),
        ({"instance": "Nobody"}, "instance", "There is no instance Nobody"),
        ({"instance": "99999999999999999999"}, "instance", "There is no instance"),
        ({"statuses": []}, "statuses", "Choose at least one"),
        ({"statuses": ["created"]}, "statuses", "What can be replayed is"),
    ],
)
def test_what_cannot_be_meant_is_told_at_its_field(owner, delivered, asked, field, words):
    answer = console(owner).post(ADD, {"statuses": ["delivered"], "step": "begin", **asked})

    assert list(answer.context["errors"]) == [field]
    assert words in answer.context["errors"][field]
    assert answer.context["typed"].texts.items() >= {k: v for k, v in asked.items() if k != "statuses"}.items()
    assert f'id="{field}-error"' in answer.content.decode()
    assert not Replay.objects.exists()


def test_instances_of_the_same_name_are_told_apart(owner, sink):
    for _ in range(2):
        make_instance(owner, sink.url)
    Instance.objects.update(name="Acme")

    answer = console(owner).post(ADD, {"instance": "Acme", "statuses": "queued"})

    assert "Several instances have this name" in answer.context["errors"]["instance"]


def test_the_boxes_offer_what_is_the_organizations_own(owner, stranger, instance):
    path = f"{LIST}suggestions/"

    found = [console(user).get(path, {"instance": "INSTANCE"}).content.decode() for user in (owner, stranger)]
    assert f"{instance.name} ({instance.pk})" in found[0]
    assert "<option" not in found[1]
    assert console(owner).get(path, {"instance": "\x00"}).content.strip() == b""
    odd = console(owner).post(ADD, {"instance": "No\x00body", "statuses": "queued"})
    assert "There is no instance No" in odd.context["errors"]["instance"]
    by_url = console(owner).get(path, {"subscription": "127.0.0.1"}).content.decode()
    assert f"({Subscription.objects.get().pk})" in by_url


def test_what_has_become_much_more_since_the_preview_is_looked_at_again(owner, instance, subscription, delivered):
    asked = {"statuses": "delivered", "step": "begin", "seen": "0"}
    client = console(owner)
    assert client.post(ADD, asked).status_code == 302  # a few more are no news
    Replay.objects.all().delete()
    publish(instance, 98, first=10)
    Delivery.objects.update(state=Delivery.DELIVERED)

    answer = client.post(ADD, asked)

    assert "it has become much more since you looked" in answer.content.decode()
    assert "101 deliveries would begin again" in answer.content.decode()
    assert 'name="seen" value="101"' in answer.content.decode()
    assert not Replay.objects.exists()
    assert len(noted()) == 1
    assert client.post(ADD, {**asked, "seen": "101"}).status_code == 302


def test_deactivated_subscriptions_are_left_alone_unless_somebody_says_otherwise(owner, instance, subscription, sink):
    sink.answer(410)
    publish(instance, 2)
    drain()
    client = console(owner)

    left = client.post(ADD, {"statuses": "queued"}).content.decode()
    assert "Nothing would begin" in left
    assert "2 more match, but their subscriptions are deactivated" in left
    assert 'value="begin"' not in left

    assert (
        "2 deliveries would begin again"
        in client.post(ADD, {"statuses": "queued", "reactivate": "on"}).content.decode()
    )
    begin(client, statuses="queued", reactivate="on")
    subscription.refresh_from_db()
    assert subscription.state == Subscription.ACTIVE


def test_paused_let_go_on_and_cancelled_in_place(owner, delivered):
    client = console(owner)
    replay = begin(client)
    path = f"{LIST}{replay.pk}/ask/"

    def ask(**asked: str) -> str:
        return client.post(path, asked, headers={"HX-Request": "true"}).content.decode()

    assert "Paused after 0 of 3 deliveries" in ask(state="paused")
    assert "1 to 1000" in ask(rate="5000")
    assert "1 to 1000" in ask(rate="9" * 5000)
    ask(rate="9")
    assert "so far" in ask(state="running")
    assert client.post(path, {"state": "cancelled"})["Location"] == f"{LIST}{replay.pk}/change/"
    assert "This replay is cancelled" in ask(state="running")
    replay.refresh_from_db()
    assert (replay.state, replay.rate) == (Replay.CANCELLED, 9)
    assert [line.partition(":")[0] for line in noted()] == [
        "began a replay",
        "paused a replay",
        "gave a replay another rate",
        "let a replay go on",
        "cancelled a replay",
    ]
    assert client.get(path).status_code == 405


def test_too_many_replays_are_told(owner, delivered):
    client = console(owner)
    for _ in range(replays.MOST_AT_ONCE):
        begin(client)

    answer = client.post(ADD, {"statuses": "delivered", "step": "begin"})

    assert "10 replays go on already" in answer.content.decode()
    assert Replay.objects.count() == replays.MOST_AT_ONCE


def test_a_stranger_finds_nothing_and_a_viewer_only_looks(owner, colleague, stranger, instance, delivered):
    replay = begin(console(owner))
    page, ask = f"{LIST}{replay.pk}/change/", f"{LIST}{replay.pk}/ask/"
    client = console(stranger)
    assert client.get(LIST).context["cl"].result_count == 0
    assert [client.get(path).status_code for path in (page, f"{LIST}{replay.pk}/progress/")] == [404, 404]
    assert client.post(ask, {"state": "cancelled"}).status_code == 404
    theirs = client.post(ADD, {"instance": str(instance.pk), "statuses": "delivered", "step": "begin"})
    assert "There is no instance" in theirs.context["errors"]["instance"]
    event = client.post(ADD, {"events": str(delivered[0].pk), "statuses": "delivered", "step": "begin"})
    assert "There is no event" in event.context["errors"]["events"]

    viewer = console(colleague, role=User.VIEWER)
    listed, looked = viewer.get(LIST).content.decode(), viewer.get(page).content.decode()
    assert "Begin a replay" not in listed
    assert "Cancel the replay" not in looked
    assert [viewer.get(ADD).status_code, viewer.post(ADD, {"step": "begin"}).status_code] == [403, 403]
    assert viewer.post(ask, {"state": "cancelled"}).status_code == 403
    assert console(owner).post(page, {}).status_code == 403
    replay.refresh_from_db()
    assert replay.state == Replay.RUNNING
    assert Replay.objects.count() == 1


def test_a_superuser_replays_for_the_organization_that_is_meant(stranger, owner, instance, delivered):
    User.objects.filter(pk=stranger.pk).update(is_superuser=True)
    client = console(stranger)

    for asked in ({"instance": str(instance.pk)}, {"events": str(delivered[0].pk)}):
        assert begin(client, **asked).organization == owner.organization
    User.objects.filter(pk=stranger.pk).update(organization=None)
    assert "whose deliveries" in console(stranger).post(ADD, {"statuses": "queued"}).context["errors"]["instance"]


def test_lists_take_few_queries_however_long(owner, instance, delivered, django_assert_max_num_queries):
    client = console(owner)
    begin(client, instance=str(instance.pk))
    rows = [
        Replay(
            organization=owner.organization,
            created_by=owner,
            wanted={"statuses": ["queued"], "instanceId": instance.pk, "to": "2026-11-22T10:00:00Z"},
            rate=50,
            total=10,
            total_bytes=10,
            last_id=10,
            begun=begun,
            state=Replay.FINISHED,
            finished_at=Now() - timedelta(hours=1),
        )
        for begun in range(30)
    ]
    Replay.objects.bulk_create(rows)

    with django_assert_max_num_queries(12):
        page = client.get(LIST).content.decode()

    assert page.count(f"queued; instance {instance.name}") == 30
    assert "5 of 10" in page


def test_words_of_receivers_and_names_are_text(owner, sink):
    instance = make_instance(owner, f"{sink.url}<svg onload=alert(1)>?secret=canary")
    Instance.objects.filter(pk=instance.pk).update(name='"><script>alert(1)</script>{{7*7}}')
    publish(instance)
    drain()
    client = console(owner)

    preview = client.post(ADD, {"instance": str(instance.pk), "statuses": "delivered"}).content.decode()
    replay = begin(client, instance=str(instance.pk))
    pages = preview + client.get(f"{LIST}{replay.pk}/change/").content.decode() + client.get(LIST).content.decode()

    assert "&lt;script&gt;alert(1)" in pages
    assert "<script>alert" not in pages
    assert "<svg onload" not in pages
    assert "canary" not in pages


def test_a_replay_can_be_asked_for_once_more(owner, instance, delivered):
    client = console(owner)
    replay = begin(client, instance=str(instance.pk), events=f"{delivered[0].pk} {delivered[1].pk}", rate="9")

    again = client.get(f"{LIST}{replay.pk}/change/").context["again"]
    typed = client.get(again).context["typed"]

    assert typed.texts["events"] == f"{delivered[0].pk} {delivered[1].pk}"
    assert (typed.texts["instance"], typed.texts["rate"], typed.statuses) == (str(instance.pk), "9", ("delivered",))
    assert Delivery.objects.count() == 3
