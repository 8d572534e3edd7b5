"""The lists of deliveries and attempts, the page of a delivery, and redelivering."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from events.deliver import drain
from events.models import Delivery, DeliveryAttempt, Subscription
from events.ordering import WAITS
from events.subscriptions import HELD_BACK
from instances.models import Instance, Organization, User
from tests.events.conftest import make_instance, publish
from tests.events.console.signed_in import console, noted

pytestmark = pytest.mark.django_db
LIST = "/console/events/delivery/"
ATTEMPTS = "/console/events/deliveryattempt/"


def ids(answer) -> list[int]:
    return [row.pk for row in answer.context["cl"].result_list]


def text(answer) -> str:
    return " ".join(answer.content.decode().split())


def page_of(delivery: Delivery) -> str:
    return f"{LIST}{delivery.pk}/change/"


@pytest.fixture
def deliveries(instance, sink) -> list[Delivery]:
    """Delivered, failed once, not tried yet."""
    publish(instance)
    drain()
    sink.answer(503, body=b"<b>not today</b>")
    publish(instance, first=2)
    drain()
    publish(instance, first=3)
    return list(Delivery.objects.order_by("pk"))


def test_the_list_says_how_each_stands_and_what_comes_next(owner, instance, deliveries):
    answer = console(owner).get(LIST)

    assert ids(answer) == [one.pk for one in reversed(deliveries)]
    assert "Receiver failed (HTTP 503)" in text(answer)
    assert "due now" in text(answer)
    assert "Replay all that match" in text(answer)


def test_filters_find_deliveries_and_are_carried_over_to_replays(owner, instance, deliveries):
    delivered, failed, fresh = (one.pk for one in deliveries)
    client = console(owner)

    assert ids(client.get(f"{LIST}?state=undelivered")) == [fresh, failed]
    assert ids(client.get(f"{LIST}?state=pending")) == [fresh, failed]
    assert ids(client.get(f"{LIST}?state=retrying")) == [failed]
    assert ids(client.get(f"{LIST}?state=delivered")) == [delivered]
    assert ids(client.get(f"{LIST}?state=queued")) == []
    assert ids(client.get(f"{LIST}?error=http_5xx")) == [failed]
    assert ids(client.get(f"{LIST}?error=tls")) == []
    assert ids(client.get(f"{LIST}?from=2090-01-01")) == []
    assert ids(client.get(f"{LIST}?from=2020-01-01&state=delivered")) == [delivered]
    assert fresh in ids(client.get(f"{LIST}?q={fresh}"))
    assert ids(client.get(f"{LIST}?q={failed}&state=retrying&error=http_5xx")) == [failed]
    assert fresh not in ids(client.get(f"{LIST}?q={fresh}&state=retrying"))
    assert ids(client.get(f"{LIST}?q={failed}&error=tls")) == []
    other = make_instance(owner, "")
    assert ids(client.get(f"{LIST}?q={fresh}&subscription__instance={other.pk}")) == []
    assert ids(client.get(f"{LIST}?q={fresh}&subscription=999999999")) == []
    assert ids(client.get(f"{LIST}?before={fresh}")) == [failed, delivered]
    assert ids(client.get(f"{LIST}?subscription={deliveries[0].subscription_id}&state=delivered")) == [delivered]
    assert ids(client.get(f"{LIST}?subscription=999999999")) == []
    assert client.get(f"{LIST}?subscription=x").status_code == 302
    assert client.get(f"{LIST}?subscription__url__startswith=http").status_code == 400
    narrowed = client.get(f"{LIST}?subscription__instance={instance.pk}&state=delivered&from=2020-01-01")
    assert ids(narrowed) == [delivered]
    wanted = f"?subscription={deliveries[0].subscription_id}&statuses=delivered&from=2020-01-01T00%3A00%3A00Z"
    assert narrowed.context["replay_url"].endswith(wanted)
    listed = client.get(f"{LIST}?error=http_5xx")
    assert "Replay those listed" in text(listed)
    assert listed.context["replay_url"].endswith(
        f"statuses=retry&statuses=queued&statuses=abandoned&deliveries={failed}"
    )


def test_lists_take_as_many_queries_for_thirty_rows_as_for_three(owner, stranger, instance, sink):
    sink.answer(500)
    client = console(owner)
    counts: dict[str, list[int]] = {LIST: [], ATTEMPTS: []}
    for count, first in ((3, 1), (27, 4)):
        publish(instance, count, first=first)
        publish(make_instance(stranger, sink.url), 2)
        Delivery.objects.update(next_attempt_at=Now())
        drain()
        for path, taken in counts.items():
            with CaptureQueriesContext(connection) as queries:
                client.get(path)
            taken.append(len(queries))

    assert len(ids(client.get(LIST))) == 30
    for few, many in counts.values():
        assert few == many <= 12


def test_the_page_explains_why_it_has_not_arrived(owner, instance, subscription, deliveries):
    delivered, failed, fresh = deliveries
    client = console(owner)

    assert "The receiver took it" in text(client.get(page_of(delivered)))
    page = text(client.get(page_of(failed)))
    for shown in (
        "It is tried again",
        "Retries",
        "gives up <time",
        ">in 3 days</time>",
        "events-step",
        "&lt;b&gt;not today&lt;/b&gt;",
    ):
        assert shown in page
    assert "It is due and will be sent within seconds" in text(client.get(page_of(fresh)))

    Delivery.objects.filter(pk=fresh.pk).update(next_attempt_at=HELD_BACK)
    Instance.objects.update(is_disabled=True)
    assert "It is sent when the instance is enabled" in text(client.get(page_of(fresh)))
    Delivery.objects.filter(pk=fresh.pk).update(next_attempt_at=WAITS)
    assert "an older event of the same object goes first" in text(client.get(page_of(fresh)))

    Delivery.objects.filter(pk=failed.pk).update(next_attempt_at=Now(), attempts_made=9)
    page = text(client.get(page_of(failed)))
    assert "gives up when the next attempt fails" in page
    assert "events-next" not in page

    Delivery.objects.filter(pk=failed.pk).update(state=Delivery.QUEUED)
    Organization.objects.update(failure_policy=Organization.QUEUE)
    page = text(client.get(page_of(failed)))
    assert "your organization does not retry what failed" in page
    assert "events-timeline" not in page
    Subscription.objects.update(state=Subscription.DEACTIVATED, deactivated_reason="It answered <410>")
    page = text(client.get(page_of(failed)))
    assert "its subscription is deactivated. It answered &lt;410&gt;" in page
    assert "active again when you redeliver" in page


def test_signatures_and_secrets_of_callback_urls_are_on_no_page(owner, sink):
    instance = make_instance(owner, sink.url + "?secret=canary", signature_key="canary-signature-key-1")
    publish(instance)
    drain()
    (delivery,) = Delivery.objects.all()
    client = console(owner)

    for path in (LIST, page_of(delivery), f"/console/events/event/{delivery.event_id}/change/", ATTEMPTS):
        assert b"canary" not in client.get(path).content
    page = text(client.get(page_of(delivery)))
    assert f"evt_{delivery.event_id}" in page
    assert "made of the body with the signature key" in page


def test_attempts_are_listed_newest_first(owner, stranger, deliveries):
    failed, taken = DeliveryAttempt.objects.order_by("-pk")
    client = console(owner)

    assert ids(client.get(ATTEMPTS)) == [failed.pk, taken.pk]
    assert ids(client.get(f"{ATTEMPTS}?error=http_5xx")) == [failed.pk]
    assert ids(client.get(f"{ATTEMPTS}?delivery={taken.delivery_id}")) == [taken.pk]
    led = client.get(f"{ATTEMPTS}{failed.pk}/change/")
    assert led.headers["Location"] == f"{LIST}{failed.delivery_id}/change/#attempt-{failed.pk}"
    assert ids(console(stranger).get(ATTEMPTS)) == []
    assert console(stranger).get(f"{ATTEMPTS}{failed.pk}/change/").status_code == 404


def test_redeliver_begins_one_again_and_reactivates(owner, instance, subscription, sink):
    sink.answer(410)
    publish(instance)
    drain()
    (delivery,) = Delivery.objects.all()
    sink.answer(200)

    answer = console(owner).post(f"{LIST}{delivery.pk}/redeliver/", {"next": "//evil.example/"}, follow=True)

    subscription.refresh_from_db()
    assert answer.redirect_chain == [(page_of(delivery), 302)]
    assert f"Delivery {delivery.pk} begins again" in text(answer)
    assert subscription.state == Subscription.ACTIVE
    assert noted() == [f"redelivered: delivery {delivery.pk}"]
    assert drain().delivered == 1


def test_redeliver_begins_the_chosen_again_and_never_all(owner, deliveries, sink):
    drain()
    sink.answer(200)
    chosen = {"action": "redeliver", "_selected_action": [one.pk for one in deliveries[:2]]}
    client = console(owner)

    assert "replay all that match" in text(client.post(LIST, {**chosen, "select_across": "1"}, follow=True))
    assert noted() == []
    assert "2 deliveries begin again" in text(client.post(LIST, chosen, follow=True))
    assert noted() == ["redelivered: 2 deliveries"]
    assert drain().delivered == 2


def test_neither_a_viewer_nor_a_stranger_redelivers(colleague, stranger, deliveries):
    drain()
    before = list(Delivery.objects.order_by("pk").values())
    delivered = deliveries[0]
    chosen = {"action": "redeliver", "_selected_action": [one.pk for one in deliveries]}
    viewer, other = console(colleague, role=User.VIEWER), console(stranger)

    assert viewer.post(f"{LIST}{delivered.pk}/redeliver/").status_code == 403
    assert other.post(f"{LIST}{delivered.pk}/redeliver/").status_code == 404
    assert other.get(page_of(delivered)).status_code == 404
    for client in (viewer, other):
        client.post(LIST, chosen)
    assert list(Delivery.objects.order_by("pk").values()) == before
    assert noted() == []
    assert "Replay all that match" not in text(viewer.get(LIST))
    assert "not today" not in text(viewer.get(page_of(deliveries[1])))


def test_redelivering_needs_the_csrf_token(owner, deliveries):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)

    assert client.post(f"{LIST}{deliveries[0].pk}/redeliver/").status_code == 403
    assert noted() == []
