"""A body that creates a record, by resource. Whatever it names is there in the sandbox, and a test sends each."""

from __future__ import annotations

from typing import Any

EXAMPLES: dict[str, dict[str, Any]] = {
    "contacts": {"firstName": "Ann", "lastName": "Example", "email": "ann@example.com"},
    "organizations": {
        "companyName": "Example & Sons",
        "companyIdentifier": "ExampleDesk",
        "defaultAddress": {"siteName": "Main", "city": "Tampa", "state": "FL", "zip": "33602"},
        "phoneNumber": "8135550100",
    },
    "incidents": {
        "summary": "The printer is on fire",
        "board": "Help Desk",
        "statusName": "New",
        "companyIdentifier": "NorthwindPartners2",
        "contactName": "Ann Example",
    },
    "time-entries": {"ticketId": 1, "dateStart": 1777885200000, "workType": "Regular", "notes": "Put it out"},
    "incidents/comments": {"noteText": "I had a look", "isPartOfDetailDescription": True},
}
