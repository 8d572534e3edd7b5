"""Which changes that callbacks tell of are new."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.change import CREATED, DELETED, DELETED_VERSION, UPDATED, Change
from events.callback_changes import Repeat, Told, decide, decide_all
from events.ledger import Identity, SeenVersion

S, T = "2026-06-09T21:59:47Z", "2026-06-09T22:00:00Z"
ONE, OTHER = b"1" * 16, b"2" * 16
S_OTHER = f"{S}#{OTHER.hex()[:16]}"


def change(version: str = S, content: bytes = ONE, event_type=UPDATED, object_id: str = "7") -> Change:
    return Change(
        event_type=event_type,
        object_type="contacts",
        object_id=object_id,
        version=version,
        changed_at=datetime(2026, 6, 9, tzinfo=UTC),
        raw=b"{}",
        content_hash=content,
    )


def seen(version: str = S, found_by: str = "webhook", content: bytes = ONE, event_type: str = UPDATED) -> SeenVersion:
    return SeenVersion(version, content, True, event_type, found_by)


@pytest.mark.parametrize(
    ("told", "known", "expected"),
    [
        ("nothing is known", [], S),
        ("another save is known", [seen(T)], S),
        ("a callback told it", [seen()], Repeat(S)),
        ("a callback told another save of that second", [seen(content=OTHER)], f"{S}#{ONE.hex()[:16]}"),
        ("callbacks told both saves", [seen(content=OTHER), seen(f"{S}#{ONE.hex()[:16]}")], None),
        ("a poll met the stamp", [seen(found_by="poll", content=OTHER)], Repeat(S)),
        ("both met the stamp", [seen(found_by="both", content=OTHER)], Repeat(S)),
        ("a poll noted it at the baseline", [seen(found_by="poll", content=OTHER, event_type="")], Repeat(S)),
        ("a poll met two saves", [seen(found_by="both"), seen(S_OTHER, found_by="poll")], Repeat(S_OTHER)),
        ("a longer stamp that begins alike", [seen(f"{S}5", found_by="poll")], S),
        ("it was deleted", [seen(DELETED_VERSION, event_type=DELETED)], S),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_save_with_a_stamp(told, known, expected):
    decision = decide(change(), versions=known)

    if isinstance(expected, str):
        assert isinstance(decision, Change)
        assert decision.version == expected
    else:
        assert decision == (expected or Repeat(f"{S}#{ONE.hex()[:16]}"))


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], S),
        ([seen(T, event_type=UPDATED)], S),
        ([seen(S, content=OTHER, event_type=UPDATED)], f"{S}#{ONE.hex()[:16]}"),
        ([seen(T, event_type=CREATED)], Repeat(T)),
        ([seen(T, found_by="poll", event_type=CREATED)], Repeat(T)),
        ([seen(S, content=OTHER, event_type=CREATED)], Repeat(S)),
        ([seen(S, found_by="poll", event_type=CREATED)], Repeat(S)),
    ],
)
def test_an_object_is_created_at_most_once(known, expected):
    decision = decide(change(event_type=CREATED), versions=known)

    assert (decision.version if isinstance(decision, Change) else decision) == expected


def test_an_object_is_deleted_once_whatever_the_callbacks_said_besides():
    known = [seen(), seen(DELETED_VERSION, content=OTHER, event_type=DELETED)]

    assert decide(change(DELETED_VERSION, event_type=DELETED), versions=known) == Repeat(DELETED_VERSION)
    assert isinstance(decide(change(DELETED_VERSION, event_type=DELETED), versions=known[:1]), Change)


def told(number: int, *changes: Change, message_id: str = "") -> Told:
    return Told(callback_id=number, message_id=message_id, changes=changes)


def test_callbacks_of_one_moment_know_each_other():
    decided = decide_all([told(1, change()), told(2, change()), told(3, change(content=OTHER))], seen={}, done=[])

    assert [one.version for one in decided.changes] == [S, S_OTHER]
    assert decided.repeats == {2}
    assert decided.repeated == [Identity("contacts", "7", S)]


def test_a_message_that_was_told_is_a_repeat_whatever_the_ledger_has_forgotten():
    again = [told(1, change(), message_id="a"), told(2, change(T), message_id="b"), told(3, change(), message_id="b")]

    decided = decide_all(again, seen={}, done=["a"])

    assert [one.version for one in decided.changes] == [T]
    assert decided.repeats == {1, 3}


def test_a_callback_is_no_repeat_while_any_of_its_changes_is_new():
    known = {("contacts", "7"): [seen(found_by="poll")]}

    decided = decide_all([told(1, change(), change(object_id="8"))], seen=known, done=[])

    assert [one.object_id for one in decided.changes] == ["8"]
    assert decided.repeats == set()
    assert decided.repeated == [Identity("contacts", "7", S)]


def test_saves_of_one_second_that_a_poll_told_apart_are_marked_one_by_one():
    known = {("contacts", "7"): [seen(found_by="poll"), seen(S_OTHER, found_by="poll")]}

    decided = decide_all([told(1, change()), told(2, change(content=OTHER))], seen=known, done=[])

    assert {one.version for one in decided.repeated} == {S, S_OTHER}
    assert decided.changes == []


def test_a_callback_without_changes_is_no_repeat():
    assert decide_all([told(1)], seen={}, done=[]).repeats == set()


saves = st.builds(change, st.sampled_from([S, T]), st.sampled_from([ONE, OTHER]), object_id=st.sampled_from("78"))


@settings(max_examples=60, deadline=None)
@given(st.lists(saves, max_size=8), st.randoms(use_true_random=False), st.integers(0, 8))
def test_whatever_the_order_the_doubles_and_the_batches_each_save_is_told_once(first, chance, cut):
    several = [*first, *first]
    chance.shuffle(several)
    known: dict[tuple[str, str], list[SeenVersion]] = {}
    recorded = []
    for batch in (several[:cut], several[cut:]):
        decided = decide_all([told(number, one) for number, one in enumerate(batch)], seen=known, done=[])
        recorded += decided.changes
        for one in decided.changes:
            known.setdefault((one.object_type, one.object_id), []).append(seen(one.version, content=one.content_hash))

    def save(one: Change) -> tuple[str, str, bytes]:
        return one.object_id, one.version.partition("#")[0], one.content_hash

    assert sorted(map(save, recorded)) == sorted({save(one) for one in first})
    assert len({(one.object_id, one.version) for one in recorded}) == len(recorded)
