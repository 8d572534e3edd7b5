"""Records that callbacks have told of: what a poll makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.change import CREATED, DELETED, DELETED_VERSION, UPDATED, Change
from events.ledger import Confirmation, SeenVersion
from polling.changes import CREATION, decide_page
from polling.content import canonical_hash, content_hash
from polling.decisions import Confirmed, Glimpsed, Ignored, Noted
from tests.polling.test_changes import (
    CREATED_AT,
    LATER,
    LONG_AGO,
    UPDATED_AT,
    after,
    decided,
    facts,
    poll,
    raw,
    record,
    text,
)

STAMP = text(after(1))
SAID = b"what a callback said"


def told(version: str = STAMP, *, event_type: str = UPDATED, content_hash: bytes = SAID) -> SeenVersion:
    return SeenVersion(version, content_hash, False, event_type, "webhook")


def glimpsed(one: dict) -> SeenVersion:
    digest = canonical_hash(raw(one))
    return told(f"{STAMP}#{digest.hex()[:16]}", event_type="", content_hash=digest)


def confirmed(one: dict, **how) -> Confirmed:
    decision = decided(one, **how)
    assert isinstance(decision, Confirmed)
    return decision


def test_what_only_callbacks_told_of_is_confirmed_with_what_was_read_and_is_no_event():
    one = record(updated=after(1), name="Zoë")
    versions = [told(text(after(0))), told(), told(f"{STAMP}#0a0a0a0a0a0a0a0a")]

    decision = confirmed(one, versions=versions)

    digest = content_hash(raw(one))
    assert decision == Confirmed(
        (Confirmation("7", STAMP, digest, True), Confirmation("7", f"{STAMP}#0a0a0a0a0a0a0a0a", digest, True))
    )


@pytest.mark.parametrize("seconds, is_left", [(3, True), (29.9, True), (30, False), (600, False)])
def test_it_is_left_to_its_callbacks_while_more_of_them_may_come(seconds, is_left):
    decision = decided(record(updated=after(1)), versions=[told()], clock=after(1 + seconds + 0.1 * (seconds == 3)))

    assert (decision is Ignored.UNDER_WAY) is is_left
    assert is_left or isinstance(decision, Confirmed)


def test_it_is_not_left_longer_than_polls_meet_it_again():
    asked = replace(poll(), overlap=timedelta(seconds=10))

    assert isinstance(decided(record(updated=after(1)), asked=asked, versions=[told()], clock=after(12)), Confirmed)


def test_a_stamp_of_the_year_2099_is_confirmed_at_once():
    stamp = "2099-01-01T00:00:00Z"

    assert isinstance(decided(record(updated=stamp), versions=[told(stamp)]), Confirmed)


def test_confirmed_versions_are_repeats_whatever_drifts():
    one = record(updated=after(1), age=5)
    [confirmation] = confirmed(one, versions=[told()]).confirmations
    known = SeenVersion(
        confirmation.version, confirmation.content_hash, confirmation.is_settled, UPDATED, found_by="both"
    )

    assert decided(record(updated=after(1), age=6), versions=[known]) is Ignored.REPEAT
    page = decide_page([facts(one, poll())], poll=poll(), seen={"7": [known]}, clock=LATER)
    assert (page.confirmed, page.changes, page.ignored[Ignored.REPEAT]) == ([], [], 1)


def test_what_was_confirmed_and_saved_again_later_is_a_change():
    known = SeenVersion(STAMP, b"", True, UPDATED, found_by="both")

    decision = decided(record(updated=after(2)), versions=[known])

    assert isinstance(decision, Change)
    assert (decision.event_type, decision.version) == (UPDATED, text(after(2)))


def test_what_callbacks_told_of_before_the_baseline_is_confirmed_and_not_noted():
    asked = poll(baseline_at=after(30), is_first=True)

    assert isinstance(decided(record(updated=after(29)), asked=asked, versions=[told(text(after(29)))]), Confirmed)
    assert isinstance(decided(record(updated=after(29)), asked=asked), Noted)


# --- a second save within one second --------------------------------------------------------------------------------


def test_what_is_read_in_the_very_second_is_remembered_and_shows_a_save_of_which_no_callback_told():
    ann, anna = record(updated=after(1), name="Ann"), record(updated=after(1), name="Anna")

    glimpse = decided(ann, versions=[told()], clock=after(2))

    assert isinstance(glimpse, Glimpsed)
    versions = [told(), glimpsed(ann)]
    assert (glimpse.change.version, glimpse.change.content_hash) == (versions[1].version, versions[1].content_hash)
    assert decided(anna, versions=versions, clock=after(2)) is Ignored.UNDER_WAY
    lost = confirmed(anna, versions=versions)
    assert lost.change is not None
    assert (lost.change.event_type, json.loads(lost.change.raw)["name"]) == (UPDATED, "Anna")
    assert lost.change.version == f"{STAMP}#{canonical_hash(raw(anna)).hex()[:16]}"
    assert [one.version for one in lost.confirmations] == [one.version for one in versions]


def test_what_says_the_same_as_in_its_second_is_confirmed():
    ann = {"id": 7, "name": "Ann", "_info": {"lastUpdated": STAMP}}
    again = {"_info": {"lastUpdated": STAMP}, "name": "Ann", "id": 7}

    assert confirmed(again, versions=[told(), glimpsed(ann)]).change is None


def test_a_second_save_of_which_a_callback_told_is_confirmed_too():
    ann, anna = record(updated=after(1), name="Ann"), record(updated=after(1), name="Anna")
    versions = [told(), glimpsed(ann), told(f"{STAMP}#0b0b0b0b0b0b0b0b", content_hash=b"and then")]

    decision = confirmed(anna, versions=versions)

    assert decision.change is None
    assert len(decision.confirmations) == 3


# --- a creation of which no callback told ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record_id, versions, known_id, is_created",
    [
        (101, [told()], 100, True),
        (100, [told()], 100, False),
        (101, [told()], None, False),
        ("a-1", [told()], 100, False),
        (101, [told(text(after(0)), event_type=CREATED), told()], 100, False),
        (101, [told(), told(DELETED_VERSION, event_type=DELETED)], 100, False),
        (101, [SeenVersion("2018-01-15T11:00:00Z", b"", True, ""), told()], 100, False),
        (101, [SeenVersion("2018-01-15T11:00:00Z", b"", True, UPDATED, "both"), told()], 100, False),
        (101, [told(), SeenVersion(CREATION, b"", True, CREATED, "poll")], 100, False),
    ],
)
def test_a_new_object_whose_creation_was_lost_is_created_once(record_id, versions, known_id, is_created):
    one = record(updated=after(1), record_id=record_id, name="Zoë")

    change = confirmed(one, asked=poll(known_id=known_id), versions=versions).change

    assert (change is not None) is is_created
    if change is not None:
        assert (change.event_type, change.version, change.changed_at) == (CREATED, CREATION, after(1))
        assert json.loads(change.raw) == one


@pytest.mark.parametrize(
    "entered, remembered_since, baseline_at, is_created",
    [
        (after(-600), after(-3600), LONG_AGO, True),  # an earlier poll met it and waited for its callbacks
        (after(-600), after(-300), LONG_AGO, False),
        (after(-600), None, LONG_AGO, False),
        (after(0.5), None, LONG_AGO, True),
        (after(-600), after(-3600), after(-300), False),
    ],
)
@pytest.mark.parametrize("has_two_dates", [True, False])
def test_where_a_date_tells_the_creation_it_counts_as_far_as_the_ledger_remembers(
    entered, remembered_since, baseline_at, is_created, has_two_dates
):
    asked = poll(baseline_at=baseline_at, created=CREATED_AT if has_two_dates else UPDATED_AT)
    asked = replace(asked, window=replace(asked.window, remembered_since=remembered_since))
    one = record(updated=after(1), record_id=7, made=text(entered), entered=None if has_two_dates else entered)

    change = confirmed(one, asked=asked, versions=[told()]).change

    assert (change is not None) is is_created
    if change is not None:
        assert change.changed_at == entered.replace(microsecond=0)


def test_a_lost_creation_and_a_lost_save_are_one_change():
    ann, anna = (record(updated=after(1), record_id=101, name=name) for name in ("Ann", "Anna"))

    change = confirmed(anna, versions=[told(), glimpsed(ann)]).change

    assert change is not None
    assert (change.event_type, change.version) == (CREATED, f"{STAMP}#{canonical_hash(raw(anna)).hex()[:16]}")


def test_a_later_save_that_a_poll_finds_first_is_the_creation_once_the_callback_should_have_come():
    one, versions = record(updated=after(5), record_id=101), [told()]

    assert decided(one, versions=versions, clock=after(10)) is Ignored.UNDER_WAY
    change = decided(one, versions=versions)
    assert isinstance(change, Change)
    assert (change.event_type, change.version) == (CREATED, text(after(5)))


def test_a_poll_by_date_of_creation_passes_over_what_callbacks_told_to_be_created():
    asked = poll(filter_by_updated_date=False, created=CREATED_AT)
    one = record(updated=after(50), made=text(after(5)))

    assert decided(one, asked=asked, versions=[told(text(after(50)), event_type=CREATED)]) is Ignored.REPEAT


# --- odd versions ---------------------------------------------------------------------------------------------------

GONE = SeenVersion(DELETED_VERSION, b"", False, DELETED, "webhook")
SIMULATED = SeenVersion("~6dd82302", b"", False, UPDATED, "webhook")


@pytest.mark.parametrize("odd", [GONE, SIMULATED])
def test_a_record_met_after_an_odd_callback_is_a_repeat_under_its_known_stamp(odd):
    one = record(updated=after(1))
    known = SeenVersion(STAMP, content_hash(raw(one)), True, UPDATED)

    assert decided(one, versions=[known, odd]) is Ignored.REPEAT
    assert isinstance(decided(one, versions=[told(), odd]), Confirmed)


def test_a_record_without_a_stamp_of_which_a_callback_told_is_confirmed_and_compared_from_then_on():
    ann, anna = record(updated=None, name="Ann"), record(updated=None, name="Anna")

    [confirmation] = confirmed(ann, versions=[GONE, SIMULATED]).confirmations

    assert (confirmation.version, confirmation.content_hash) == (SIMULATED.version, canonical_hash(raw(ann)))
    known = replace(SIMULATED, content_hash=confirmation.content_hash, found_by="both")
    assert decided(ann, versions=[known]) is Ignored.REPEAT
    assert isinstance(decided(anna, versions=[known]), Change)
