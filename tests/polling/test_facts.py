from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.poller import DateField, ResourcePoller
from polling.facts import read_facts

STAMP = DateField("_info.lastUpdated", "yyyy-MM-dd'T'HH:mm:ss'Z'")
NOON = datetime(2018, 1, 15, 12, tzinfo=UTC)
TEXT = "2018-01-15T12:00:00Z"


def poller(*, id_field="id", updated=STAMP, created=STAMP, **changes) -> ResourcePoller:
    return ResourcePoller(
        resource="contacts", url="/contacts", id_field=id_field, updated=updated, created=created, **changes
    )


def slices(*records: object) -> list[msgspec.Raw]:
    return [msgspec.Raw(one if isinstance(one, bytes) else json.dumps(one).encode()) for one in records]


def fact(record: object, **settings_of_poller):
    return read_facts(slices(record), poller=poller(**settings_of_poller))[0]


def test_id_stamp_and_moment_are_read_and_the_bytes_kept():
    raw = b'{ "x": [1, {"id": 9}], "id": 7, "_info": {"dateEntered": "e", "lastUpdated": "2018-01-15T12:00:00Z"} }'

    found = fact(raw)

    assert (found.object_id, found.stamp, found.stamped_at, found.entered) == ("7", TEXT, NOON, "e")
    assert bytes(found.raw) == raw


@pytest.mark.parametrize(
    "value, object_id",
    [
        (7, "7"),
        ("7", "7"),
        ("a-1 é", "a-1 é"),
        (2**70, str(2**70)),
        (7.0, "7"),
        ("two\nlines", "two\nlines"),
        (7.5, ""),
        (True, ""),
        (None, ""),
        ("", ""),
        ([7], ""),
        ({"id": 7}, ""),
        ("x" * 255, "x" * 255),
        ("x" * 256, ""),
        ("nul\x00", ""),
        ("half \ud800 a pair", ""),
        (10**300, ""),
    ],
)
def test_an_id_is_a_text_that_the_database_takes_or_none(value, object_id):
    assert fact({"id": value}).object_id == object_id


@pytest.mark.parametrize(
    "record",
    [
        {"id": 7},
        {"id": 7, "_info": None},
        {"id": 7, "_info": "x"},
        {"id": 7, "_info": []},
        {"id": 7, "_info": {}},
        {"id": 7, "_info": {"lastUpdated": None}},
        {"id": 7, "_info": {"lastUpdated": "soon"}},
        {"id": 7, "_info": {"lastUpdated": {}}},
        {"id": 7, "_info": {"lastUpdated": True}},
        {"id": 7, "_info": {"lastUpdated": "\ud800"}},
    ],
)
def test_a_stamp_that_is_missing_or_no_date_costs_only_itself(record):
    good = {"id": 8, "_info": {"lastUpdated": TEXT}}

    odd, other = read_facts(slices(record, good), poller=poller())

    assert (odd.object_id, odd.stamp, odd.stamped_at) == ("7", "", None)
    assert (other.object_id, other.stamp, other.stamped_at) == ("8", TEXT, NOON)


@pytest.mark.parametrize("raw", [b"[]", b"5", b'"x"', b"null", b"[" * 900 + b"]" * 900])
def test_what_is_no_object_has_no_id(raw):
    assert fact(raw).object_id == ""


def test_the_date_of_creation_places_a_record_where_updates_do_not_count():
    record = {"id": 7, "_info": {"lastUpdated": "2019-01-01T00:00:00Z"}, "made": 1516017600000}
    created = DateField("made", "milliseconds")

    assert fact(record, created=created, filter_by_updated_date=False).stamp == "1516017600000"
    assert fact(record, created=created, filter_by_updated_date=False).stamped_at == NOON
    assert fact(record, created=created).stamp == "2019-01-01T00:00:00Z"


def test_a_stamp_too_long_for_a_version_is_written_as_iso():
    updated = DateField("u", f"yyyy-MM-dd'{'x' * 60}'")

    found = fact({"id": 7, "u": "2018-01-15" + "x" * 60}, updated=updated, created=updated)

    assert found.stamp == "2018-01-15T00:00:00+00:00"


def test_any_field_names_will_do():
    updated = DateField("odd name.é-1", STAMP.pattern)

    found = fact({"class": "a", "odd name": {"é-1": TEXT}}, id_field="class", updated=updated, created=updated)

    assert (found.object_id, found.stamped_at) == ("a", NOON)


def test_paths_that_lie_inside_each_other_are_read_all_the_same():
    updated = DateField("id.stamp", STAMP.pattern)

    assert fact({"id": {"stamp": TEXT}}, updated=updated, created=updated).stamped_at == NOON
    assert fact({"id": 7}, updated=updated, created=updated).object_id == "7"


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8), st.just(TEXT)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["id", "_info", "lastUpdated", "dateEntered", "x"]), inner, max_size=4),
    ),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(json_values, max_size=4))
def test_no_record_keeps_the_others_from_being_read(records):
    good = {"id": 8, "_info": {"lastUpdated": TEXT}}

    facts = read_facts(slices(*records, good), poller=poller())

    assert len(facts) == len(records) + 1
    assert (facts[-1].object_id, facts[-1].stamped_at) == ("8", NOON)
