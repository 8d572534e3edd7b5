"""By which road changes were found, and how many callbacks were lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from events import ledger, provenance
from events.models import Event, Registration, SeenChange
from events.provenance import Measured, Provenance
from events.record import record
from tests.events.conftest import POLLED_AT, change
from tests.factories import InboxFactory, InstanceFactory

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def inbox():
    return InboxFactory.create()


@pytest.fixture
def desk(inbox):
    """Callbacks about contacts and about the tickets of one board are registered, for two days."""
    registered(inbox, "contact")
    registered(inbox, "ticket", level="board", object_id="12")
    return inbox.instance


def registered(inbox, type_: str, *, level="owner", object_id="1", hours=48, state=Registration.ACTIVE):
    Registration.objects.create(
        inbox=inbox, type=type_, level=level, object_id=object_id, state=state, registered_at=Now() - hours * HOUR
    )


def found(desk, found_by: str, count: int, *, first: int, object_type="contacts", age=HOUR, event_type="UPDATED"):
    changes = [change(number, object_type=object_type) for number in range(first, first + count)]
    with transaction.atomic():
        if event_type:
            ids = {ledger.identity(one): 1 for one in changes}
            ledger.enter(instance_id=desk.pk, changes=changes, event_ids=ids, found_by=found_by)
        else:
            ledger.note(instance_id=desk.pk, changes=changes, found_by=found_by)
    SeenChange.objects.filter(object_id__in=[one.object_id for one in changes]).update(seen_at=Now() - age)


def test_changes_are_counted_by_the_road_they_were_found_by(desk):
    found(desk, "webhook", 5, first=100)
    found(desk, "both", 3, first=200)
    found(desk, "poll", 2, first=300)

    contacts = Provenance(by_callback=5, by_both=3, by_poll_only=2)
    assert provenance.measured(desk) == Measured(total=contacts, by_type={"contacts": contacts})
    assert contacts.loss_rate == pytest.approx(0.2)


def test_without_changes_there_is_no_rate(desk):
    assert provenance.measured(desk).total.loss_rate is None
    unregistered = InstanceFactory.create(element_key="connectwisehd")
    assert provenance.measured(unregistered) == Measured(total=Provenance())


def test_an_element_without_callbacks_has_no_rate():
    assert provenance.measured(InstanceFactory.create()) == Measured(total=Provenance())


@pytest.mark.parametrize(
    "how",
    [
        {"age": timedelta(seconds=50)},  # the callback may be under way
        {"age": 25 * HOUR},
        {"event_type": ""},  # no event: noted at the baseline, or seen within its second
        {"object_type": "incidents"},  # only those of one board are told
        {"object_type": "organizations"},  # never registered
    ],
)
def test_what_says_nothing_about_lost_callbacks_is_not_counted(desk, how):
    found(desk, "poll", 1, first=100, **how)

    assert provenance.measured(desk).total == Provenance()


@pytest.mark.parametrize("hours, counted", [(2, 1), (0.5, 0)])
def test_what_was_seen_before_its_callbacks_were_registered_is_not_counted(inbox, hours, counted):
    registered(inbox, "contact", hours=hours)
    registered(inbox, "company", state=Registration.REFUSED)
    found(inbox.instance, "poll", 1, first=100, age=HOUR)
    found(inbox.instance, "poll", 1, first=200, object_type="organizations")

    assert provenance.measured(inbox.instance).total == Provenance(by_poll_only=counted)


def test_changes_of_other_instances_are_not_counted(desk):
    found(InboxFactory.create().instance, "poll", 3, first=100)

    assert provenance.measured(desk).total == Provenance()


def test_the_first_of_two_registrations_for_a_type_counts(inbox):
    registered(inbox, "contact", hours=5)
    registered(inbox, "contact", object_id="2", hours=1)
    [row] = Registration.objects.filter(object_id="1")

    assert provenance.told_since(inbox.instance) == {"contacts": row.registered_at}


# One event


def event_of(desk, *numbers: int, source: str) -> Event:
    with transaction.atomic():
        [event_id] = record(
            instance=desk,
            changes=[change(number) for number in numbers],
            source=source,
            polled_at=POLLED_AT if source == Event.POLL else None,
        )
    return Event.objects.get(pk=event_id)


def identities(*numbers: int) -> list[ledger.Identity]:
    return [ledger.identity(change(number)) for number in numbers]


def test_an_event_is_found_by_both_once_all_its_changes_are(desk):
    told, polled = event_of(desk, 1, source="webhook"), event_of(desk, 2, 3, source="poll")
    assert provenance.provenances([told, polled]) == {told.pk: "webhook", polled.pk: "poll"}

    ledger.told_too(instance_id=desk.pk, identities=identities(2))
    assert provenance.provenance_of(polled) == "poll"
    ledger.told_too(instance_id=desk.pk, identities=identities(3))
    confirmation = ledger.Confirmation("1", change(1).version, b"", True)
    ledger.confirm(instance_id=desk.pk, object_type="contacts", confirmations=[confirmation])
    assert provenance.provenances([told, polled]) == {told.pk: "both", polled.pk: "both"}


def test_other_changes_of_the_same_object_say_nothing(desk):
    event = event_of(desk, 1, source="webhook")
    with transaction.atomic():
        record(instance=desk, changes=[change(1, version="later")], source=Event.POLL, polled_at=POLLED_AT)

    assert provenance.provenance_of(event) == "webhook"


def test_what_the_ledger_has_forgotten_has_no_provenance(desk):
    event = event_of(desk, 1, source="poll")
    SeenChange.objects.update(event_id=F("event_id") + 1)

    assert provenance.provenance_of(event) is None
    assert provenance.provenances([]) == {}
