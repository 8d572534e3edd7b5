from __future__ import annotations

import json
import time
from typing import Any

from connectors.sandbox import Sandbox, stock
from connectors.sandbox.schema import COMPANY, CONTACT, TICKET, TIME_ENTRY
from connectors.sandbox.subjects import SUBJECTS

COUNTS: dict[str, Any] = {
    "contacts": 300,
    "companies": 30,
    "tickets": 200,
    "time_entries": 100,
    "notes": 60,
    "configurations": 30,
    "opportunities": 20,
    "schedule_entries": 10,
}
UNCOUNTED = {"user_defined_fields": 12, "registrations": 0}


def everything(sandbox: Sandbox) -> dict[str, list[object]]:
    return {
        name: [collection.get(record_id) for record_id in collection.ids()]
        for name, collection in sandbox.collections.items()
    }


def test_same_seed_gives_the_same_records_and_another_seed_others():
    first = Sandbox(**COUNTS)
    stock.beginning.cache_clear()
    again, other = Sandbox(**COUNTS), Sandbox(**COUNTS, seed=2)
    assert everything(first) == everything(again)
    assert everything(first) != everything(other)
    assert {name: len(records) for name, records in everything(first).items()} == COUNTS | UNCOUNTED


def test_sandboxes_begin_alike_and_what_happens_in_one_does_not_show_in_another():
    first, untouched = Sandbox(**COUNTS), Sandbox(**COUNTS)
    before = everything(untouched)
    for collection in first.collections.values():
        for record_id in collection.ids()[:20]:
            collection.edit(record_id, customFields=[])
            collection.get(record_id)["_info"]["lastUpdated"] = "never"
        for record_id in collection.ids()[20:]:
            collection.delete(record_id)
    added = [one.contacts.add() for one in (untouched, Sandbox(**COUNTS))]

    assert everything(Sandbox(**COUNTS)) == before
    untouched.contacts.delete(added[0]["id"])
    assert everything(untouched) == before
    assert [one["mobileGuid"] for one in added] == [added[0]["mobileGuid"]] * 2, "they go on alike, too"


def test_thousands_of_records_are_there_in_a_moment():
    stock.beginning.cache_clear()
    began = time.process_time()
    sandbox = Sandbox()
    assert time.process_time() - began < 2.0  # a fifth of that on an idle machine
    assert [len(sandbox.contacts), len(sandbox.companies), len(sandbox.tickets)] == [3_000, 300, 2_000]


def test_page_of_1000_contacts_is_as_heavy_as_a_real_one():
    sandbox = Sandbox(contacts=1000, companies=30, tickets=1)
    assert 2_500_000 < sum(len(row.encoded) for row in sandbox.contacts.rows()) < 3_500_000


def test_records_have_the_shape_of_real_ones():
    sandbox = Sandbox(**COUNTS)
    for schema, collection in (
        (CONTACT, sandbox.contacts),
        (COMPANY, sandbox.companies),
        (TICKET, sandbox.tickets),
        (TIME_ENTRY, sandbox.time_entries),
    ):
        for record_id in collection.ids():
            record = collection.get(record_id)
            named = {field.name for field in schema.fields.values()}
            assert set(record) - named <= {"integratorTags"}
            assert all(value is not None for value in record.values()), "nulls are left out"
            assert ("dateEntered" in record["_info"]) is (schema in (COMPANY, TICKET))
            assert ("dateEntered" in record) is (schema is TIME_ENTRY)
            assert record["_info"]["lastUpdated"].endswith("Z")
            assert record["_info"]["lastUpdated"] >= record["_info"].get("dateEntered", "")
            assert all("value" in field for field in record["customFields"]), "a custom field's null is kept"


def test_ids_grow_with_gaps_and_names_are_of_all_kinds():
    sandbox = Sandbox(**COUNTS)
    ids = sandbox.contacts.ids()
    assert ids[:20] == list(range(1, 21))
    assert ids[-1] > len(ids)
    text = json.dumps(everything(sandbox), ensure_ascii=False)
    for part in ("Zoë", "O'Brien", '\\"', "\\\\", "裕子", "عمر", "&", "%", "[", "<b>", "🎉"):
        assert part in text


def test_some_contacts_lack_what_may_be_missing():
    sandbox = Sandbox(**COUNTS)
    records = [sandbox.contacts.get(record_id) for record_id in sandbox.contacts.ids()]
    for name in ("lastName", "company"):
        assert 0 < sum(name not in record for record in records) < len(records) / 4


def test_contacts_and_tickets_refer_to_companies_there_are():
    sandbox = Sandbox(**COUNTS)
    known = set(sandbox.companies.ids())
    for collection in (sandbox.contacts, sandbox.tickets):
        used = {row.record["company"]["id"] for row in collection.rows() if "company" in row.record}
        assert used <= known
        assert len(used) > 10


def test_everything_else_has_the_fields_it_declares_and_refers_to_what_there_is():
    sandbox = Sandbox(**COUNTS)
    for name, subject in SUBJECTS.items():
        collection = sandbox.collections[name]
        declared = {field.name for field in subject.schema.fields.values()}
        for row in collection.rows():
            record = row.record
            assert set(record) <= declared
            assert all(record.get(required) for required in (*subject.schema.required, "_info"))
            for field, referred in (("company", sandbox.companies), ("contact", sandbox.contacts)):
                assert field not in record or referred.row(record[field]["id"])
            for field in ("ticketId", "objectId"):
                assert field not in record or sandbox.tickets.row(record[field])
    attached = [sandbox.attachments.of(number) for number in sandbox.tickets.ids()]
    assert sum(map(len, attached)) == 10


def test_nothing_belongs_to_what_is_not_there():
    sandbox = Sandbox(contacts=0, companies=0, tickets=0)
    names = ("notes", "configurations", "opportunities", "schedule_entries")
    assert [len(sandbox.collections[name]) for name in names] == [0, 0, 0, 0]
