"""The keys that sign notifications: how one takes over from another, and what a client sees of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instances.encryption import encrypt_json
from instances.models import Instance
from instances.signing_keys import MOST_KEYS, SigningKey, alive, read, rotated, stored, succeeded

KEY = "event.notification.signature.key"
OVERLAP = "event.notification.signature.overlap.hours"
NOW = datetime(2026, 6, 9, 21, 59, 47, tzinfo=UTC)
DAY = timedelta(days=1)


def keys_of(instance: Instance) -> list[str]:
    instance.refresh_from_db()
    return [key.text for key in read(instance.signing_keys_encrypted)]


def test_a_new_key_signs_beside_the_old_one_until_the_overlap_ends():
    keys = rotated([SigningKey("old")], to="new", now=NOW, overlap=DAY)

    assert alive(keys, at=NOW) == alive(keys, at=NOW + DAY - timedelta(microseconds=1)) == ["new", "old"]
    assert alive(keys, at=NOW + DAY) == ["new"]


def test_without_an_overlap_the_old_key_ends_at_once():
    assert rotated([SigningKey("old")], to="new", now=NOW, overlap=timedelta(0)) == (SigningKey("new"),)


def test_the_current_key_sent_again_changes_nothing():
    keys = rotated([SigningKey("old")], to="new", now=NOW, overlap=DAY)
    column = stored(keys)

    assert succeeded(column, by=stored([SigningKey("new")]), now=NOW + DAY / 2, overlap=DAY) == column


def test_the_old_key_sent_again_is_current_and_the_other_one_ends():
    keys = rotated([SigningKey("old")], to="new", now=NOW, overlap=DAY)

    back = rotated(keys, to="old", now=NOW + DAY / 2, overlap=DAY)

    assert back == (SigningKey("old"), SigningKey("new", NOW + DAY / 2 + DAY))


def test_a_longer_overlap_does_not_prolong_what_ends_and_a_shorter_one_cuts_it_short():
    keys = rotated([SigningKey("old")], to="new", now=NOW, overlap=DAY)

    assert rotated(keys, to="new", now=NOW, overlap=5 * DAY) == keys
    assert rotated(keys, to="new", now=NOW, overlap=DAY / 2)[1].ends_at == NOW + DAY / 2


def test_no_key_ends_all_of_them():
    column = stored(rotated([SigningKey("old")], to="new", now=NOW, overlap=DAY))

    assert succeeded(column, by="", now=NOW, overlap=DAY) == ""


def test_columns_of_plain_texts_are_read():
    assert read(encrypt_json(["new", "old"])) == (SigningKey("new"), SigningKey("old"))
    assert read("") == ()


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcde"), st.integers(0, 30), st.integers(0, 30)),  # key, hours until then, overlap
        min_size=1,
        max_size=12,
    )
)
def test_however_keys_follow_each_other_the_last_is_current_and_each_ends_when_promised(steps):
    keys: tuple[SigningKey, ...] = ()
    promised: dict[str, datetime] = {}
    now = NOW
    for text, hours, overlap in steps:
        now += timedelta(hours=hours)
        if keys and keys[0].text != text:
            promised[keys[0].text] = now + timedelta(hours=overlap)
        keys = rotated(keys, to=text, now=now, overlap=timedelta(hours=overlap))
        signing = alive(keys, at=now)
        assert signing[0] == text
        assert len(signing) == len(set(signing)) <= MOST_KEYS
        assert alive(keys, at=now + timedelta(hours=31)) == [text]
        assert all(key.ends_at is not None and key.ends_at <= promised[key.text] for key in keys[1:])
        assert read(stored(keys)) == keys


def test_keys_are_shown_in_no_text():
    assert "canary" not in repr(SigningKey("canary", NOW))


# Over the API


def test_the_mask_keeps_the_keys_and_an_empty_one_ends_signing(api, created):
    path = f"/instances/{created.pk}"
    for sent in ("canary-1", "canary-2", "********"):
        assert api.patch(path, {"configuration": {KEY: sent}}).json()["configuration"][KEY] == "********"
        assert "canary" not in api.get(path).text
    assert keys_of(created) == ["canary-2", "canary-1"]

    assert api.patch(path, {"configuration": {KEY: None}}).json()["configuration"][KEY] is None
    assert keys_of(created) == []


def test_the_overlap_sent_with_a_key_is_the_one_that_counts(api, created):
    path = f"/instances/{created.pk}"
    api.patch(path, {"configuration": {KEY: "first"}})

    api.patch(path, {"configuration": {KEY: "second", OVERLAP: 3}})
    created.refresh_from_db()
    end = read(created.signing_keys_encrypted)[1].ends_at

    assert end is not None
    assert timedelta(0) <= created.updated_at + timedelta(hours=3) - end < timedelta(seconds=5)
    api.patch(path, {"configuration": {OVERLAP: 0}})
    assert keys_of(created) == ["second"]


@pytest.mark.parametrize("key, named", [(5, "as a string"), ("k" * 1001, "longer than 1000")])
def test_a_key_of_another_kind_is_refused(api, created, key, named):
    answer = api.patch(f"/instances/{created.pk}", {"configuration": {KEY: key}})

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(KEY)
    assert named in answer.json()["message"]
