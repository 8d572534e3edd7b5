"""A body that creates a record, by resource. Whatever it names is there in the sandbox, and a test sends each."""

from __future__ import annotations

from typing import Any

EXAMPLES: dict[str, dict[str, Any]] = {
    "contacts": {"firstName": "Ann", "lastName": "Example", "email": "ann@example.com", "company": {"id": 1}},
    "organizations": {"identifier": "Example", "name": "Example & Sons", "city": "Tampa"},
    "incidents": {"summary": "The printer is on fire", "company": {"id": 1}},
    "opportunities": {
        "name": "New printers",
        "company": {"id": 1},
        "contact": {"id": 1},
        "primarySalesRep": {"identifier": "jsmith"},
        "expectedCloseDate": "2026-12-24T00:00:00Z",
    },
    "configurations": {"name": "Printer 1", "type": {"id": 1}, "company": {"id": 1}},
    "time-entries": {
        "chargeToType": "ServiceTicket",
        "chargeToId": 1,
        "timeStart": "2026-05-04T09:00:00Z",
        "actualHours": 0.5,
        "notes": "Put it out",
    },
    "fields": {"podId": 1, "fieldTypeIdentifier": "Text", "sequenceNumber": 1, "caption": "Floor"},
    "incidents/comments": {"text": "I had a look", "detailDescriptionFlag": True},
    "incidents/configurations": {"id": 1},
    "incidents/members": {"member": {"identifier": "jsmith"}},
}
