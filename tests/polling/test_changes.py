from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from connectors.change import CREATED, UPDATED, Change
from connectors.poller import DateField, ResourcePoller
from events.ledger import SeenVersion
from polling.changes import decide, decide_page
from polling.content import canonical_hash, content_hash
from polling.decisions import Decision, Ignored, Noted, Poll
from polling.facts import RecordFacts, read_facts
from polling.window import Window

PATTERN = "yyyy-MM-dd'T'HH:mm:ss'Z'"
UPDATED_AT = DateField("_info.lastUpdated", PATTERN)
CREATED_AT = DateField("made", PATTERN)

SINCE = datetime(2018, 1, 15, 12, tzinfo=UTC)
LONG_AGO = SINCE - timedelta(days=30)
LATER = SINCE + timedelta(minutes=10)
"""The provider's clock when a record is read, long after its stamp."""


def after(seconds: float) -> datetime:
    return SINCE + timedelta(seconds=seconds)


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def poller(**changes) -> ResourcePoller:
    plain = ResourcePoller(resource="contacts", url="/c", id_field="id", updated=UPDATED_AT, created=UPDATED_AT)
    return replace(plain, **changes)


def poll(*, baseline_at=LONG_AGO, is_first=False, known_id: int | None = 100, filters_nulls=True, **of_poller) -> Poll:
    return Poll(
        poller=poller(**of_poller),
        window=Window(since=SINCE, baseline_at=baseline_at, is_first=is_first, known_id=known_id),
        started_at=after(60),
        filters_nulls=filters_nulls,
    )


def raw(record: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(record).encode())


def record(*, updated: datetime | str | None, record_id: object = 7, entered: datetime | None = None, **rest) -> dict:
    info = {"lastUpdated": text(updated) if isinstance(updated, datetime) else updated}
    if entered:
        info["dateEntered"] = text(entered)
    return {"id": record_id, "_info": info, **rest}


def facts(one: dict, asked: Poll) -> RecordFacts:
    return read_facts([raw(one)], poller=asked.poller)[0]


def decided(
    one: dict, *, asked: Poll | None = None, versions: list[SeenVersion] | None = None, clock=LATER
) -> Decision:
    asked = asked or poll()
    return decide(facts(one, asked), poll=asked, versions=versions or [], clock=clock)


def changed(one: dict, **how) -> Change:
    decision = decided(one, **how)
    assert isinstance(decision, Change)
    return decision


def seen(one: dict, *, version: str | None = None, is_settled=True, event_type="UPDATED") -> SeenVersion:
    """What the ledger keeps after this record was read."""
    digest = content_hash(raw(one)) if is_settled else canonical_hash(raw(one))
    return SeenVersion(version or one["_info"]["lastUpdated"], digest, is_settled, event_type)


# --- the window -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds, kind", [(-1, Ignored), (-0.001, Ignored), (0, Change), (59, Change)])
def test_records_from_the_window_s_first_moment_on_are_changes(seconds, kind):
    updated = DateField("_info.lastUpdated", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
    stamp = after(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    decision = decided(record(updated=stamp), asked=poll(updated=updated, created=updated))

    assert type(decision) is kind
    assert decision is Ignored.BEFORE_WINDOW or kind is Change


@pytest.mark.parametrize(
    "seconds, filters, is_change", [(60, True, True), (61, True, False), (61, False, True), (59, True, True)]
)
def test_records_stamped_after_the_poll_began_can_be_left_to_the_next(seconds, filters, is_change):
    decision = decided(record(updated=after(seconds)), asked=poll(filter_by_current_date=filters))

    assert isinstance(decision, Change) if is_change else decision is Ignored.AFTER_START


@pytest.mark.parametrize(
    "created, updated, is_change",
    [(5, 5, True), (5, 50, True), (-5, 50, False), (0, -5, True)],
)
def test_without_the_filter_by_updated_date_the_date_of_creation_must_lie_in_the_window(created, updated, is_change):
    asked = poll(filter_by_updated_date=False, created=CREATED_AT)

    decision = decided(record(updated=after(updated), made=text(after(created))), asked=asked)

    assert isinstance(decision, Change) is is_change
    if isinstance(decision, Change):
        assert (decision.version, decision.changed_at) == (text(after(created)), after(created))


@pytest.mark.parametrize("is_settled", [True, False])
def test_without_the_filter_by_updated_date_later_edits_are_no_changes(is_settled):
    asked = poll(filter_by_updated_date=False, created=CREATED_AT)
    version = SeenVersion(text(after(5)), b"another", is_settled, "CREATED")

    assert decided(record(updated=after(50), made=text(after(5))), asked=asked, versions=[version]) is Ignored.REPEAT


def test_a_record_without_an_id_is_left_out():
    assert decided(record(updated=after(1), record_id=None)) is Ignored.NO_ID


# --- repeats --------------------------------------------------------------------------------------------------------


def test_a_change_carries_the_stamp_the_moment_the_hash_and_the_record():
    one = record(updated=after(1), note=None, name="Zoë")

    change = changed(one)

    assert change == Change(
        event_type=UPDATED,
        object_type="contacts",
        object_id="7",
        version="2018-01-15T12:00:01Z",
        changed_at=after(1),
        raw=change.raw,
        content_hash=content_hash(raw(one)),
        is_settled=True,
    )
    assert json.loads(change.raw) == record(updated=after(1), name="Zoë")


def test_nulls_stay_in_the_record_where_the_instance_keeps_them():
    one = record(updated=after(1), note=None)

    assert changed(one, asked=poll(filters_nulls=False)).raw == bytes(raw(one))


def test_the_same_stamp_again_is_a_repeat_even_if_computed_fields_drifted():
    before, now = record(updated=after(1), age=5), record(updated=after(1), age=6)

    assert decided(now, versions=[seen(before)]) is Ignored.REPEAT


def test_another_stamp_is_a_change_even_with_the_same_content():
    assert changed(record(updated=after(2)), versions=[seen(record(updated=after(1)))]).event_type == UPDATED


@pytest.mark.parametrize(
    "clock, is_settled", [(0, False), (1, False), (3, False), (3.999, False), (4, True), (60, True)]
)
def test_a_record_is_settled_when_the_provider_s_clock_has_left_its_second_well_behind(clock, is_settled):
    change = changed(record(updated=after(1)), clock=after(clock) - timedelta(microseconds=clock == 3.999))

    assert change.is_settled is (clock > 3)


def test_a_second_save_within_the_second_that_was_read_is_a_change_of_its_own():
    before, now = record(updated=after(1), name="Ann"), record(updated=after(1), name="Anna")

    change = changed(now, versions=[seen(before, is_settled=False)])

    assert change.version == f"2018-01-15T12:00:01Z#{canonical_hash(raw(now)).hex()[:16]}"
    assert (change.event_type, change.changed_at, change.is_settled) == (UPDATED, after(1), True)


def test_a_second_save_is_compared_with_the_last_one_and_not_with_the_first():
    ann, anna = record(updated=after(1), name="Ann"), record(updated=after(1), name="Anna")
    versions = [seen(ann, is_settled=False), seen(anna, version=f"{text(after(1))}#a", is_settled=False)]

    assert decided(anna, versions=versions, clock=after(1)) is Ignored.REPEAT
    assert decided(anna, versions=versions) is Ignored.SETTLED
    assert changed(ann, versions=versions).version == f"{text(after(1))}#{canonical_hash(raw(ann)).hex()[:16]}"


def test_a_save_that_brings_a_content_back_has_a_version_of_its_own():
    ann, anna = record(updated=after(1), name="Ann"), record(updated=after(1), name="Anna")
    versions = [seen(ann, is_settled=False)]
    for one in (anna, ann, anna, ann):
        change = changed(one, versions=versions, clock=after(1))
        assert change.version not in [version.version for version in versions]
        versions.append(SeenVersion(change.version, change.content_hash, change.is_settled, change.event_type))
        assert decided(one, versions=versions, clock=after(1)) is Ignored.REPEAT


def test_another_order_of_keys_is_no_second_save():
    before = {"id": 7, "name": "Ann", "_info": {"lastUpdated": text(after(1)), "updatedBy": "x"}}
    now = {"_info": {"updatedBy": "x", "lastUpdated": text(after(1))}, "name": "Ann", "id": 7}

    assert decided(now, versions=[seen(before, is_settled=False)]) is Ignored.SETTLED
    first = changed(before, clock=after(1))
    assert first.content_hash == canonical_hash(raw(now))


def test_once_a_further_save_is_settled_drift_is_no_change():
    ann, anna = record(updated=after(1), name="Ann"), record(updated=after(1), name="Anna", age=5)
    versions = [seen(ann, is_settled=False), seen(anna, version=f"{text(after(1))}#a", is_settled=True)]

    assert decided(record(updated=after(1), name="Anna", age=6), versions=versions) is Ignored.REPEAT


# --- odd stamps -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stamp", [None, "soon", "", {}])
def test_a_record_whose_stamp_cannot_be_read_is_updated_once_for_each_content(stamp):
    ann, anna = record(updated=stamp, name="Ann"), record(updated=stamp, name="Anna")

    first = changed(ann)
    versions = [SeenVersion(first.version, first.content_hash, first.is_settled, first.event_type)]
    second = changed(anna, versions=versions)
    versions.append(SeenVersion(second.version, second.content_hash, second.is_settled, second.event_type))
    third = changed(ann, versions=versions)

    assert (first.event_type, first.changed_at) == (UPDATED, None)
    assert first.version == f"~{canonical_hash(raw(ann)).hex()}"
    assert decided(ann, versions=versions[:1]) is Ignored.REPEAT
    assert decided(anna, versions=versions) is Ignored.REPEAT
    assert len({first.version, second.version, third.version}) == 3


def test_a_stamp_of_the_year_1_lies_before_every_window():
    assert decided(record(updated="0001-01-01T00:00:00Z")) is Ignored.BEFORE_WINDOW


def test_a_stamp_of_the_year_2099_is_one_change_whatever_drifts():
    stamp = "2099-01-01T00:00:00Z"
    change = changed(record(updated=stamp, age=5))

    assert (change.version, change.is_settled) == (stamp, True)
    version = SeenVersion(change.version, change.content_hash, change.is_settled, change.event_type)
    assert decided(record(updated=stamp, age=6), versions=[version]) is Ignored.REPEAT


def test_a_stamp_a_little_ahead_of_the_clock_may_be_saved_again():
    assert not changed(record(updated=after(600)), clock=after(0)).is_settled


# --- the baseline ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stamp, is_first, kind",
    [
        (after(29), True, Noted),
        (after(30), True, Change),
        (after(29), False, Change),  # committed late: nobody has been told
        (None, True, Noted),
        (None, False, Change),
    ],
)
def test_the_first_poll_notes_what_was_there_before_the_baseline(stamp, is_first, kind):
    decision = decided(record(updated=stamp), asked=poll(baseline_at=after(30), is_first=is_first))

    assert type(decision) is kind
    if isinstance(decision, Noted):
        assert decision.change.raw == b""


def test_what_was_noted_is_no_change_later():
    one = record(updated=after(29))

    assert decided(one, versions=[seen(one, event_type="")]) is Ignored.REPEAT


# --- created or updated ---------------------------------------------------------------------------------------------

NOT_NEW = [SeenVersion("2018-01-15T11:00:00Z", b"", True, "")]


@pytest.mark.parametrize(
    "record_id, known_id, versions, event_type",
    [
        (101, 100, [], CREATED),
        ("101", 100, [], CREATED),
        (100, 100, [], UPDATED),
        (7, 100, [], UPDATED),
        (101, 100, NOT_NEW, UPDATED),
        (101, None, [], UPDATED),
        ("a-1", 100, [], UPDATED),
        ("¹²³⁴", 100, [], UPDATED),
        ("-101", 100, [], UPDATED),
    ],
)
def test_with_one_date_field_an_id_beyond_the_known_ones_is_created(record_id, known_id, versions, event_type):
    one = record(updated=after(1), record_id=record_id)

    assert changed(one, asked=poll(known_id=known_id), versions=versions).event_type == event_type


@pytest.mark.parametrize(
    "entered, baseline_at, versions, event_type",
    [
        (after(1), LONG_AGO, [], CREATED),
        (after(0), LONG_AGO, [], CREATED),
        (after(-1), LONG_AGO, [], UPDATED),
        (after(1), after(1), [], CREATED),
        (after(1), after(2), [], UPDATED),
        (after(1), LONG_AGO, NOT_NEW, UPDATED),
    ],
)
@pytest.mark.parametrize("record_id", [7, 101])
def test_with_one_date_field_the_date_of_entry_goes_before_the_id(
    record_id, entered, baseline_at, versions, event_type
):
    one = record(updated=after(5), record_id=record_id, entered=entered)

    assert changed(one, asked=poll(baseline_at=baseline_at), versions=versions).event_type == event_type


def test_a_date_of_entry_that_cannot_be_read_leaves_it_to_the_id():
    one = {"id": 101, "_info": {"lastUpdated": text(after(1)), "dateEntered": "soon"}}

    assert changed(one).event_type == CREATED


@pytest.mark.parametrize(
    "created, updated, tolerance, event_type",
    [
        (after(5), after(5), 0, CREATED),
        (after(4), after(5), 0, UPDATED),
        (after(4), after(5), 1, CREATED),
        (after(6), after(5), 1, CREATED),
        (after(-60), after(5), 65, CREATED),
        (after(-60), after(5), 64, UPDATED),
        (after(7), after(5), 1, UPDATED),
        (None, after(5), 9, UPDATED),
    ],
)
@pytest.mark.parametrize("record_id", [7, 101])
def test_with_two_date_fields_their_distance_decides(record_id, created, updated, tolerance, event_type):
    asked = poll(created=CREATED_AT, created_check_tolerance=timedelta(seconds=tolerance))
    one = record(updated=updated, record_id=record_id, made=created and text(created), entered=after(1))

    assert changed(one, asked=asked).event_type == event_type
    assert changed(one, asked=asked, versions=NOT_NEW).event_type == UPDATED


# --- a page ---------------------------------------------------------------------------------------------------------


def test_a_page_is_sorted_into_what_to_do_with_it():
    asked = poll(baseline_at=after(30), is_first=True)
    repeated = record(updated=after(40), record_id=4)
    unstamped = record(updated=None, record_id=5)
    page = [
        record(updated=after(-1), record_id=1),
        record(updated=after(29), record_id=2),
        record(updated=after(50), record_id=3),
        repeated,
        unstamped,
        record(updated=after(55), record_id=None),
    ]
    ledger = {
        "4": [seen(repeated)],
        "5": [SeenVersion(f"~{canonical_hash(raw(unstamped)).hex()}", canonical_hash(raw(unstamped)), True, "")],
    }

    found = decide_page(
        read_facts([raw(one) for one in page], poller=asked.poller), poll=asked, seen=ledger, clock=LATER
    )

    assert [change.object_id for change in found.changes] == ["3"]
    assert [change.object_id for change in found.noted] == ["2"]
    assert found.unstamped == ["5"]
    assert found.ignored == {Ignored.BEFORE_WINDOW: 1, Ignored.REPEAT: 2, Ignored.NO_ID: 1}
    assert (found.unreadable_stamps, found.greatest_stamp) == (1, after(55))


def test_an_empty_page_has_no_greatest_stamp():
    assert decide_page([], poll=poll(), seen={}, clock=LATER).greatest_stamp is None
