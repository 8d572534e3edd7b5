from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.change import CREATED, UPDATED
from polling.changes import decide
from polling.dry_run_rows import IGNORED, row_of
from tests.polling.test_changes import CREATED_AT, LATER, LONG_AGO, after, facts, poll, record, seen, text


@pytest.mark.parametrize(
    ("one", "of_poller", "outcome", "reason"),
    [
        (record(updated=after(9), entered=after(1)), {}, CREATED, "entered in the span"),
        (record(updated=after(9), entered=LONG_AGO), {}, UPDATED, "entered before the span"),
        (record(updated=after(9), record_id=101), {}, CREATED, "its id is greater"),
        (record(updated=after(9)), {}, UPDATED, "its id is not greater"),
        (record(updated=after(9), record_id="a-7"), {}, UPDATED, "nothing about it tells"),
        (record(updated=after(9), made=text(after(9))), {"created": CREATED_AT}, CREATED, "are the same"),
        (record(updated=after(9), made=text(LONG_AGO)), {"created": CREATED_AT}, UPDATED, "are not the same"),
        (record(updated=None), {}, UPDATED, "no date that can be read"),
        (record(updated=LONG_AGO), {}, IGNORED, "an earlier poll had it"),
        (record(updated=after(61)), {"filter_by_current_date": True}, IGNORED, "the next poll has it"),
        (record(updated=after(9), record_id=None), {}, IGNORED, "no id that can be used at id"),
    ],
)
def test_every_fate_has_a_reason(one, of_poller, outcome, reason):
    asked = poll(**of_poller)
    row = row_of(facts(one, asked), [], decide(facts(one, asked), poll=asked, versions=[], clock=LATER), poll=asked)

    assert row.outcome == outcome
    assert reason in row.reason
    assert (row.change is not None) == (outcome != IGNORED)


def test_what_the_ledger_knows_is_a_repeat_or_an_update():
    asked, known = poll(), record(updated=after(9))
    told = replace(seen(record(updated=after(20))), found_by="webhook")
    for versions, one, reason in (
        ([seen(known)], known, "an earlier poll reported it"),
        ([seen(known, event_type="")], known, "as it was when events began"),
        ([seen(known), told], known, "an earlier poll reported it"),
        ([seen(known)], record(updated=after(20)), "it was seen before"),
        ([seen(known, is_settled=False)], record(updated=after(9), title="CFO"), "within the same second"),
    ):
        decision = decide(facts(one, asked), poll=asked, versions=versions, clock=LATER)
        assert reason in row_of(facts(one, asked), versions, decision, poll=asked).reason
