"""Who is told of a receiver that fails, is given up on or is back: once, and not about their own alerts."""

from __future__ import annotations

import pytest
from django.core.mail import EmailMessage
from django.db import transaction

from events import alerts, circuit_upkeep, subscriptions, transitions
from events.models import CircuitTransition, Delivery, Event, Subscription
from events.plain_cursor import plain_cursor
from events.transitions import Transition
from instances.models import User
from tests.events.conftest import publish
from tests.events.failing import go_round, pass_time
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

HOUR = 3600


def note(subscription: Subscription, kind: str, *, reason: str = "HTTP 500", is_known: bool = False) -> None:
    with transaction.atomic(), plain_cursor() as cursor:
        happened = Transition(subscription_id=subscription.pk, kind=kind, reason=reason, is_known=is_known)
        transitions.record(cursor, [happened])


@pytest.fixture
def listening(owner, sink) -> Subscription:
    """The organization subscribed somebody to everything there is to be told."""
    topics = [alerts.TOPIC + kind for kind in transitions.TOLD]
    return Subscription.objects.create(organization=owner.organization, topics=topics, url="http://alerts.example/")


@pytest.mark.parametrize(("kind", "severity"), [("warned", "medium"), ("deactivated", "high"), ("reactivated", "low")])
def test_whoever_subscribed_gets_a_notification_once(kind, severity, listening, subscription, instance):
    note(subscription, kind)

    assert (alerts.tell(), alerts.tell()) == (1, 0)
    delivery = Delivery.objects.select_related("event").get()
    assert (delivery.subscription, delivery.event.topic) == (listening, f"switchyard.subscription.{kind}")
    sent = bytes(delivery.event.body).decode()
    assert f'"severity":"{severity}"' in sent
    assert f'"subscriptionId":{subscription.pk},"instanceId":{instance.pk},"host":"127.0.0.1"' in sent
    assert "/hook" not in sent


@pytest.mark.parametrize("kind", ["opened", "recovering", "closed"])
def test_what_circuits_do_by_themselves_is_not_told(kind, listening, subscription):
    note(subscription, kind)

    assert alerts.tell() == 0


def test_what_somebody_did_is_not_told_them(listening, subscription):
    note(subscription, "reactivated", is_known=True)

    assert alerts.tell() == 0


def test_an_alert_that_cannot_be_delivered_is_alerted_to_nobody(listening, mailoutbox):
    note(listening, "deactivated")

    assert alerts.tell() == 1
    assert not Event.objects.exists()
    assert len(mailoutbox) == 1


def test_the_story_of_a_dead_receiver_as_its_organization_is_told_it(listening, owner, instance, mailoutbox):
    publish(instance)
    go_round(500)
    for hours in (37, 15, 15, 6):
        pass_time(hours * HOUR)
        circuit_upkeep.tend()
    go_round(500)
    pass_time(HOUR)
    go_round(200)
    go_round(200)
    alerts.tell()

    told = Event.objects.filter(topic__startswith=alerts.TOPIC).order_by("pk").values_list("topic", flat=True)
    assert [topic.removeprefix(alerts.TOPIC) for topic in told] == ["warned"] * 3 + ["deactivated", "reactivated"]
    assert len(mailoutbox) == 1


class TestMail:
    def test_one_goes_to_the_owners_and_to_nobody_else(self, owner, stranger, subscription, mailoutbox):
        second = UserFactory.create(organization=owner.organization)
        UserFactory.create(organization=owner.organization, role=User.VIEWER)
        UserFactory.create(organization=owner.organization, is_active=False)
        note(subscription, "deactivated", reason="The receiver answered 410: it is gone for good")
        note(subscription, "warned")
        alerts.tell()

        (mail,) = mailoutbox
        assert sorted(mail.recipients()) == sorted([owner.email, second.email])
        assert mail.to == []
        assert mail.subject == "Notifications to 127.0.0.1 are no longer sent"
        assert "The receiver answered 410" in mail.body
        assert "/hook" not in mail.body

    def test_a_mail_server_that_is_away_harms_nothing(self, subscription, listening, settings, caplog):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
        note(subscription, "deactivated")

        assert alerts.tell() == 1
        assert Delivery.objects.count() == 1
        assert "mail not sent" in caplog.text

    def test_a_mail_server_that_takes_its_time_holds_up_one_thread_only(self, subscription, monkeypatch):
        sent: list[str] = []

        def take_long(mail: EmailMessage) -> None:
            if not sent:
                note(subscription, "deactivated", reason="while the first mail was being sent")
                sent.append(f"{alerts.tell()} told meanwhile")
            sent.append("a mail")

        monkeypatch.setattr(EmailMessage, "send", take_long)
        note(subscription, "deactivated")

        assert alerts.tell() == 1
        assert sent == ["1 told meanwhile", "a mail", "a mail"]


def test_reactivation_by_hand_is_kept_but_not_told(listening, subscription, instance):
    note(subscription, "deactivated")
    alerts.tell()
    Subscription.objects.filter(pk=subscription.pk).update(state=Subscription.DEACTIVATED)
    subscriptions.redeliver(Delivery.objects.none(), reactivate=Subscription.objects.filter(pk=subscription.pk))

    assert alerts.tell() == 0
    assert CircuitTransition.objects.latest("pk").kind == "reactivated"
