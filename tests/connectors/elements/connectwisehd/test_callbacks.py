"""What a callback says: standardizing bodies of every version and of no sense."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.callbacks import CannotStandardize, StandardizedCallback
from connectors.change import CREATED, DELETED, DELETED_VERSION, UNKNOWN, UPDATED, Change
from tests.connectors.elements.connectwisehd.bodies import CALLBACKS, PAYLOADS, changed, inbound, payload


def standardize(body) -> StandardizedCallback:
    return CALLBACKS.standardize(inbound(body))


def change_of(body) -> Change:
    (change,) = standardize(body).changes
    return change


def refusal_of(body) -> str:
    with pytest.raises(CannotStandardize) as refused:
        standardize(body)
    return str(refused.value)


# Recorded shapes


@pytest.mark.parametrize(
    "name, event_type, object_type, object_id, version",
    [
        ("contact_updated", UPDATED, "contacts", "57961", "2026-06-09T21:59:47Z"),
        ("ticket_added", CREATED, "incidents", "7601", "2026-06-09T22:01:03Z"),
        ("ticket_deleted", DELETED, "incidents", "7601", DELETED_VERSION),
        ("project_ticket_updated", UPDATED, "incidents", "7777", "2026-06-09T22:01:03Z"),
        ("time_entry_added", CREATED, "time-entries", "91234", "2026-06-09T22:02:00Z"),
        ("company_updated_2019", UPDATED, "organizations", "250", "2019-03-04T10:11:12Z"),
        ("opportunity_updated", UPDATED, "opportunity", "310", "2026-06-09T22:03:00Z"),
        ("action_unknown", UNKNOWN, "contacts", "57961", "2026-06-09T21:59:47Z"),
        ("entity_decoded", UPDATED, "contacts", "57961", "2026-06-09T21:59:47Z"),
        ("entity_absent", UPDATED, "incidents", "7601", ""),
        ("entity_null_on_update", UPDATED, "contacts", "57961", ""),
    ],
)
def test_says_what_happened_to_which_record(name, event_type, object_type, object_id, version):
    change = change_of(payload(name))

    assert (change.event_type, change.object_type, change.object_id) == (event_type, object_type, object_id)
    assert change.version == version
    assert change.changed_at == (datetime.fromisoformat(version) if version[:2] == "20" else None)
    assert change.raw == payload(name)
    assert len(change.content_hash) == 16
    assert change.is_settled is False


def test_carries_the_id_of_the_message():
    assert standardize(payload("contact_updated")).message_id == "6dd82302-88e5-4a51-9a9b-7d1d2d9b3f01"
    assert standardize(payload("company_updated_2019")).message_id == ""


def test_a_byte_order_mark_is_no_part_of_what_is_passed_on():
    change = change_of(b"\xef\xbb\xbf" + payload("contact_updated"))

    assert change.raw == payload("contact_updated")
    assert change == change_of(payload("contact_updated"))


# Tolerance


@pytest.mark.parametrize("spelled", [str.lower, str.upper, str.title])
def test_keys_are_read_in_any_letter_case(spelled):
    document = {spelled(key): value for key, value in json.loads(payload("contact_updated")).items()}

    assert change_of(document).object_id == "57961"
    assert standardize(document).message_id != ""


@pytest.mark.parametrize("word", ["added", "Added", " ADDED "])
def test_actions_and_types_are_read_in_any_letter_case(word):
    change = change_of(changed("contact_updated", Action=word, Type="Contact"))

    assert (change.event_type, change.object_type) == (CREATED, "contacts")


@pytest.mark.parametrize("action", ["", None, ..., 7, ["updated"], "update", "removed"])
def test_an_action_that_nobody_knows_is_unknown(action):
    assert change_of(changed("contact_updated", Action=action)).event_type == UNKNOWN


@pytest.mark.parametrize("id_", [57961, "57961", " 57961 ", "0057961", 57961.0, None, ..., "", True, [1]])
def test_the_id_is_a_number_a_text_or_that_of_the_entity(id_):
    assert change_of(changed("contact_updated", ID=id_)).object_id == "57961"


@pytest.mark.parametrize("entity", ["", "  ", "null", None, ...])
def test_no_entity_leaves_the_stamp_to_be_read(entity):
    assert change_of(changed("contact_updated", Entity=entity)).version == ""


@pytest.mark.parametrize(
    "entity, version",
    [
        ({"id": 57961, "_info": {"lastUpdated": "2026-06-09T21:59:47Z"}}, "2026-06-09T21:59:47Z"),
        ({"Id": "57961", "_INFO": {"LastUpdated": "2026-06-09T21:59:47Z"}}, "2026-06-09T21:59:47Z"),
        ({"lastUpdated": "2026-06-09T21:59:47.5Z"}, "2026-06-09T21:59:47.5Z"),
        ({"dateEntered": "2026-06-09T21:59:47Z"}, ""),
        ({"_info": None}, ""),
        ({"_info": "2026-06-09T21:59:47Z"}, ""),
        ({"_info": {"lastUpdated": None}}, ""),
        ({"_info": {"lastUpdated": 1780000000}}, ""),
        ({"_info": {"lastUpdated": "yesterday"}}, ""),
        ({"_info": {"lastUpdated": "deleted"}}, ""),
        ({"_info": {"lastUpdated": "~2026-06-09T21:59:47Z"}}, ""),
        ({"_info": {"lastUpdated": "2026-06-09T21:59:47Z\u0000"}}, ""),
        ({"_info": {"lastUpdated": "2026-06-09T21:59:47Z" + " " * 60}}, ""),
    ],
)
def test_the_stamp_is_taken_as_it_is_written_or_not_at_all(entity, version):
    change = change_of(changed("contact_updated", Entity=json.dumps(entity)))

    assert change.version == version
    assert (change.changed_at is None) is (version == "")


def test_a_stamp_without_an_offset_is_utc():
    entity = {"_info": {"lastUpdated": "2026-06-09T21:59:47"}}

    assert change_of(changed("contact_updated", Entity=entity)).changed_at == datetime(
        2026, 6, 9, 21, 59, 47, tzinfo=UTC
    )


@pytest.mark.parametrize("entity", ['{"id":7601,', "[]", "7", 7, ["x"], '"text"'])
def test_a_deletion_needs_no_entity_that_can_be_read(entity):
    change = change_of(changed("ticket_deleted", Entity=entity))

    assert (change.event_type, change.object_id, change.version) == (DELETED, "7601", DELETED_VERSION)


# Telling saves apart


def test_the_same_record_has_the_same_hash_whatever_the_order_of_its_keys():
    entity = json.loads(json.loads(payload("contact_updated"))["Entity"])
    turned = json.dumps(dict(reversed(entity.items())), indent=2)

    same = change_of(changed("contact_updated", Entity=turned, MessageId="another"))

    assert same.content_hash == change_of(payload("contact_updated")).content_hash
    assert same.content_hash == change_of(changed("contact_updated", Entity=entity)).content_hash


@pytest.mark.parametrize("members", [{"Action": "added"}, {"Entity": {"id": 57961, "title": "CFO"}}, {"Entity": None}])
def test_another_action_or_record_has_another_hash(members):
    other = change_of(changed("contact_updated", **members))

    assert other.content_hash != change_of(payload("contact_updated")).content_hash


# What says nothing


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"", "not JSON"),
        (b"ID=7601&Action=updated", "not JSON"),
        (payload("contact_updated")[:-1], "not JSON"),
        (payload("contact_updated") + b"}", "not JSON"),
        ('{"ID":NaN,"Type":"ticket"}', "not JSON"),
        ('{"ID":1,"Type":"ticket","X":-Infinity}', "not JSON"),
        (payload("contact_updated").replace("ë".encode(), b"\xeb"), "not UTF-8"),
        (payload("contact_updated").decode().encode("utf-16"), "not UTF-8"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'"ticket"', "no JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        ({}, "no Type"),
        (changed("contact_updated", Type=None), "no Type"),
        (changed("contact_updated", Type="x" * 65), "no Type"),
        (changed("contact_updated", Type="con\u0000tact"), "no Type"),
        (changed("contact_updated", Type="\ud800"), "no Type"),
        (changed("ticket_deleted", ID=None), "no ID"),
        (changed("ticket_deleted", ID="7" * 256), "no ID"),
        (changed("ticket_deleted", ID=int("7" * 256)), "no ID"),
        (changed("ticket_deleted", ID="7\u0000"), "no ID"),
        (changed("ticket_deleted", ID="\udfff"), "no ID"),
        (changed("ticket_deleted", ID=1e300), "no ID"),
        (payload("entity_cut_short"), "the Entity is not JSON"),
        (changed("contact_updated", Entity="[" * 50_000), "the Entity is nested too deeply"),
        (changed("contact_updated", Entity="[]"), "the Entity is no record"),
        (changed("contact_updated", Entity=7), "the Entity is no record"),
        (payload("entity_of_another_record"), "ID is 57962, and the Entity's id is 57961"),
    ],
)
def test_what_says_nothing_is_refused_with_the_reason(body, reason):
    assert reason in refusal_of(body)


def test_numbers_of_thousands_of_digits_are_nobodys_trouble():
    digits = "7" * 200_000
    body = payload("contact_updated").replace(
        b'"CallbackObjectRecId":26604', b'"CallbackObjectRecId":' + digits.encode()
    )
    assert digits.encode() in body

    assert change_of(body).object_id == "57961"
    assert change_of(changed("contact_updated", Entity=f'{{"id":57961,"x":{digits}}}')).object_id == "57961"
    assert "no ID" in refusal_of(f'{{"Type":"ticket","ID":{digits}}}')


def test_half_a_surrogate_pair_stays_in_the_body_only():
    change = change_of(changed("contact_updated", MemberId="\ud800", Entity='{"id":57961,"firstName":"\\ud83d"}'))

    assert change.object_id == "57961"
    assert b"\\ud800" in change.raw


@pytest.mark.parametrize("message_id", ["x" * 65, "a\u0000b", "\ud800", 7, None])
def test_an_odd_message_id_is_none(message_id):
    assert standardize(changed("contact_updated", MessageId=message_id)).message_id == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
odd_members = st.dictionaries(
    st.sampled_from(["MessageId", "Action", "Type", "ID", "id", "Entity", "Metadata", "CompanyId", "FromUrl"]),
    json_values | st.builds(json.dumps, json_values),
)


def check_only_what_columns_hold(body: bytes) -> None:
    try:
        said = standardize(body)
    except CannotStandardize:
        return
    (change,) = said.changes
    json.loads(change.raw.decode())
    for text, longest in (
        (said.message_id, 64),
        (change.object_type, 64),
        (change.object_id, 255),
        (change.version, 64),
    ):
        assert len(text) <= longest
        assert text.isprintable()
        text.encode()
    assert change.object_type
    assert change.object_id


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(body):
    check_only_what_columns_hold(body)


@settings(max_examples=60)
@given(json_values.map(json.dumps))
def test_no_json_makes_it_fail(text):
    check_only_what_columns_hold(text.encode())


@settings(max_examples=80)
@given(st.sampled_from(sorted(path.stem for path in PAYLOADS.iterdir())), odd_members)
def test_no_member_makes_it_fail(name, members):
    check_only_what_columns_hold(json.dumps(changed(name, **members)).encode())


@settings(max_examples=60)
@given(st.sampled_from(sorted(path.stem for path in PAYLOADS.iterdir())), st.integers(0, 3000), st.integers(0, 255))
def test_no_broken_byte_makes_it_fail(name, position, byte):
    body = bytearray(payload(name))
    body[position % len(body)] = byte

    check_only_what_columns_hold(bytes(body))


# Records of the hub


@pytest.mark.parametrize(
    "record, stamp",
    [
        ({"id": 7, "lastUpdated": "2026-06-09T21:59:47Z"}, "2026-06-09T21:59:47Z"),
        ({"id": 7, "lastUpdated": None}, ""),
        ({"id": 7}, ""),
        ({}, ""),
    ],
)
def test_a_record_of_the_hub_has_the_stamp_that_callbacks_have(record, stamp):
    assert CALLBACKS.stamp(record) == (stamp, datetime.fromisoformat(stamp) if stamp else None)
