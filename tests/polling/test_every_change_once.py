"""Whatever happens at the provider: each change is one event, and nothing else is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.change import CREATED, UPDATED
from connectors.sandbox import LoggedRequest, Sandbox
from instances import provisioning
from instances.models import Instance
from tests.polling.driving import PAGED, cursor_of, on_list, poll, reports, told

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def test_2500_records_of_one_second_over_three_pages_with_writes_in_between(instance, sandbox):
    poll(instance)
    sandbox.clock.advance(MINUTE)
    for number in range(1, 13):
        sandbox.contacts.edit(number)
    added = [sandbox.contacts.add()["id"] for _ in range(2_488)]
    behind, ahead, gone = added[10], added[2_400], added[2_300]

    def write() -> None:
        sandbox.contacts.edit(behind, title="in the same second, on a page already read")
        sandbox.contacts.edit(ahead, title="in the same second, on a page to come")
        sandbox.contacts.delete(gone)
        sandbox.clock.advance(SECOND)
        sandbox.contacts.edit(3, title="a second later, on a page already read")
        added.append(sandbox.contacts.add()["id"])

    on_list(sandbox, 2, write)
    poll(instance)
    done = [(number, UPDATED) for number in range(1, 13)] + [(one, CREATED) for one in added if one != gone]
    assert told(instance) == sorted(done)

    done += [(3, UPDATED), (behind, UPDATED)]
    for wait in (SECOND, MINUTE, MINUTE):
        poll(instance)
        assert told(instance) == sorted(done)
        sandbox.clock.advance(wait)


@pytest.mark.parametrize("late", [SECOND, 30 * SECOND, 115 * SECOND])
def test_records_committed_late_inside_the_overlap(instance, sandbox, late):
    poll(instance)
    sandbox.clock.advance(5 * MINUTE)
    sandbox.contacts.edit(3, title="late", is_hidden=True)
    hidden = sandbox.contacts.add(is_hidden=True)["id"]
    sandbox.clock.advance(late)
    visible = sandbox.contacts.add()["id"]
    poll(instance)
    assert told(instance) == [(visible, CREATED)]

    sandbox.contacts.reveal(3)
    sandbox.contacts.reveal(hidden)
    for _ in range(3):
        poll(instance)
        assert told(instance) == sorted([(visible, CREATED), (3, UPDATED), (hidden, CREATED)])


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_provider_whose_clock_is_ten_minutes_off(connect, sandbox, minutes):
    sandbox.clock.advance(minutes * MINUTE)
    sandbox.contacts.edit(1, title="before events began")
    sandbox.clock.advance(SECOND)
    instance = connect(sandbox)
    done = []
    for step in range(8):
        sandbox.clock.advance(20 * SECOND)
        sandbox.contacts.edit(2 + step, title=f"step {step}")
        done += [(2 + step, UPDATED), (sandbox.contacts.add()["id"], CREATED)]
        poll(instance)
        assert told(instance) == sorted(done)
        sandbox.clock.advance(40 * SECOND)
        poll(instance)
    assert told(instance) == sorted(done)


def test_a_clock_that_is_set_back_within_the_overlap(instance, sandbox):
    done = []
    for number, jump in enumerate([180, -60, 600, -90, 30, -50, 900], start=1):
        sandbox.clock.advance(jump * SECOND)
        sandbox.contacts.edit(number, title="saved")
        done.append((number, UPDATED))
        for _ in range(2):
            poll(instance)
            assert told(instance) == done


def test_a_record_stamped_in_the_year_2099_hides_nothing_and_repeats_nothing(instance, sandbox):
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3, at=datetime(2099, 1, 1, tzinfo=UTC), title="from the future")
    done = [(3, UPDATED)]
    for number in (4, 5, 6):
        poll(instance)
        assert cursor_of(instance).watermark <= sandbox.clock.now()
        sandbox.clock.advance(10 * MINUTE)
        sandbox.contacts.edit(number, title="from now")
        done.append((number, UPDATED))
    poll(instance)
    poll(instance)
    assert told(instance) == done

    sandbox.contacts.edit(3, title="back from the future")
    poll(instance)
    assert told(instance) == sorted([*done, (3, UPDATED)])


@pytest.mark.parametrize("stamp", [None, "", "soon", "0000-00-00T00:00:00Z", "99999-01-01T00:00:00Z"])
def test_records_without_a_readable_stamp_are_told_by_what_they_say(instance, sandbox, stamp):
    poll(instance)
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3, at=stamp, title="one")
    sandbox.contacts.edit(4, title="with a stamp")
    poll(instance)
    poll(instance)
    assert told(instance) == [(3, UPDATED), (4, UPDATED)]

    sandbox.contacts.edit(3, at=stamp, title="two")
    poll(instance)
    poll(instance)
    assert told(instance) == [(3, UPDATED), (3, UPDATED), (4, UPDATED)]
    assert [one.record["title"] for one in reports(instance) if one.object_id == "3"] == ["one", "two"]


def test_saves_within_one_second_are_told_apart_while_the_second_lasts(instance, sandbox):
    poll(instance)
    sandbox.clock.advance(MINUTE)
    titles = ["first", "second", "first", "third"]
    for title in titles:
        sandbox.contacts.edit(3, title=title)
        poll(instance)
        poll(instance)
    sandbox.clock.advance(MINUTE)
    poll(instance)

    assert told(instance) == [(3, UPDATED)] * 4
    assert [one.record["title"] for one in reports(instance)] == titles


def test_a_field_that_drifts_without_a_save_is_no_change_once_the_second_is_over(instance, sandbox):
    sandbox.clock.freeze()
    saved_at = sandbox.clock.now()
    sandbox.contacts.edit(3, at=saved_at, title="saved")
    poll(instance)
    sandbox.clock.advance(5 * MINUTE)
    poll(instance)
    sandbox.contacts.edit(3, at=saved_at, title="computed anew, under the stamp of the save")
    poll(instance)

    assert told(instance) == [(3, UPDATED)]


def test_a_longer_delay_brings_nothing_back_that_the_ledger_forgot(instance, sandbox):
    """What was reported long ago, and what was there before events began."""
    sandbox.contacts.edit(3, title="reported")
    poll(instance)
    for number in (4, 5):
        sandbox.clock.advance(timedelta(hours=3))
        sandbox.contacts.edit(number, title="later")
        poll(instance)
    cursor = cursor_of(instance)
    pollers = {"contacts": {**instance.element.poller_configuration["contacts"], "pollDelay": 30 * 86400}}
    provisioning.update(instance_id=instance.pk, configuration={"event.poller.configuration": pollers})
    instance.refresh_from_db()
    sandbox.contacts.edit(9, at=cursor.baseline_at - timedelta(days=1), title="long before events began")
    poll(instance)

    assert told(instance) == [(3, UPDATED), (4, UPDATED), (5, UPDATED)]


def test_a_name_that_reads_another_resource_begins_anew(instance, sandbox):
    contact = sandbox.contacts.edit(3, title="a contact")
    poll(instance)
    pollers = {"contacts": {**instance.element.poller_configuration["incidents"]}}
    provisioning.disable(instance_id=instance.pk)
    provisioning.update(instance_id=instance.pk, configuration={"event.poller.configuration": pollers})
    provisioning.enable(instance_id=instance.pk)
    instance.refresh_from_db()
    sandbox.tickets.edit(3, at=contact["_info"]["lastUpdated"], summary="a ticket of the same id and stamp")
    sandbox.clock.advance(SECOND)
    poll(instance)
    assert cursor_of(instance).reads == "incidents"
    new = sandbox.tickets.add(summary="new")
    poll(instance)

    assert (new["id"], CREATED) in told(instance)


def test_the_first_record_of_an_empty_resource_is_created(connect):
    with Sandbox.start(contacts=0, companies=1, tickets=0) as sandbox:
        instance = connect(sandbox)
        new = sandbox.contacts.add(firstName="Zoë")
        poll(instance)

        assert (new["id"], CREATED) in told(instance)


def test_fractions_of_a_second_that_stamps_do_not_show_change_nothing(connect):
    with Sandbox.start(contacts=12, companies=0, tickets=0, hidden_fractions=True) as sandbox:
        sandbox.clock.freeze(datetime(2026, 6, 9, 12, 0, 0, 900_000, tzinfo=UTC))
        instance = connect(sandbox)
        done = []
        for number in range(1, 9):
            sandbox.clock.advance(timedelta(milliseconds=700))
            sandbox.contacts.edit(number, title="saved")
            done.append((number, UPDATED))
            poll(instance)
        sandbox.clock.advance(MINUTE)
        poll(instance)
        assert told(instance) == done


Action = tuple[str, int]
ACTIONS = st.lists(
    st.tuples(st.sampled_from(["edit", "edit", "add", "delete", "wait", "late edit", "late add"]), st.integers(0, 30)),
    max_size=5,
)


# What fails is searched for its simplest form, for minutes; the time limit of all tests would end that and hide it.
@pytest.mark.timeout(400)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(st.tuples(ACTIONS, ACTIONS, ACTIONS), min_size=1, max_size=3))
def test_edits_inserts_and_deletions_while_pages_are_read(connect, sandbox, rounds):
    """Each save writes its number into the record, so that reports can be matched with saves."""
    sandbox.on_request = None
    # They share a transaction: what examples leave behind would make each poll slower than the one before.
    Instance.objects.all().delete()
    before = set(sandbox.contacts.ids())
    instance = connect(sandbox, **{"event.poller.configuration": PAGED})
    saves: dict[str, int] = {}
    hidden: list[int] = []

    def act(kind: str, number: int) -> None:
        ids = [one for one in sandbox.contacts.ids() if one not in hidden]
        title = f"save {len(saves)} of {instance.pk}"
        is_late = kind.startswith("late")
        if is_late:
            # In a second of its own: a save that becomes visible late under the stamp of another that was read after
            # its second cannot be told from a computed field that moved.
            sandbox.clock.advance(SECOND)
        if kind == "wait":
            sandbox.clock.advance(number % 8 * SECOND)
        elif kind.endswith("add"):
            saves[title] = sandbox.contacts.add(title=title, is_hidden=is_late)["id"]
        elif kind.endswith("edit") and ids:
            saves[title] = sandbox.contacts.edit(ids[number % len(ids)], title=title, is_hidden=is_late)["id"]
        elif kind == "delete" and len(ids) > 3:
            sandbox.contacts.delete(ids[number % len(ids)])
        if is_late and title in saves:
            hidden.append(saves[title])

    for between_polls, *at_pages in rounds:
        for action in between_polls:
            act(*action)
        pages = iter([[], *at_pages])

        def at_a_page(_request: LoggedRequest, pages: Iterator[list[Action]] = pages) -> None:
            for action in next(pages, []):
                act(*action)

        sandbox.on_request = at_a_page
        poll(instance)
        assert cursor_of(instance).last_error == ""
        sandbox.on_request = None
        while hidden:
            sandbox.contacts.reveal(hidden.pop())
        poll(instance)
    sandbox.clock.advance(MINUTE)
    poll(instance)
    poll(instance)

    reported = reports(instance)
    # No invention, no repeat: every report is a save of that object, and no save is reported twice.
    assert {(one.record["title"], int(one.object_id)) for one in reported} <= set(saves.items())
    assert set(Counter(one.record["title"] for one in reported).values()) <= {1}
    # No loss: what every object says now was reported, if it was saved since events began.
    now = {sandbox.contacts.get(one)["title"] for one in sandbox.contacts.ids()}
    assert now & saves.keys() <= {one.record["title"] for one in reported}
    # Created once, and first; what was there before is never created.
    first = {int(one.object_id): one.event_type for one in reversed(reported)}
    assert first == {one: UPDATED if one in before else CREATED for one in first}
    assert set(Counter(one.object_id for one in reported if one.event_type == CREATED).values()) <= {1}
