"""Schedule entries: who works on a ticket, and when."""

from __future__ import annotations

from connectors.sandbox import catalogue
from connectors.sandbox.schema import NAMED_REFERENCE, SAVED, Field, Record, Schema, fields_of, named
from connectors.sandbox.subject import Subject, Surroundings, refuse

ENTRY = Schema(
    kind="ScheduleEntry",
    path="/schedule/entries",
    required=("objectId", "type", "member"),
    entry_stamp="none",
    hrefs=(),
    fields=fields_of(
        texts="name:250 mobileGuid",
        numbers="id objectId hours",
        booleans="doneFlag acknowledgedFlag ownerFlag meetingFlag allowScheduleConflictsFlag",
        datetimes="dateStart dateEnd",
        references="status where reminder span",
        others=(
            *named("member"),
            Field("type", "reference", parts=NAMED_REFERENCE),
            Field("_info", "reference", parts=SAVED),
        ),
    ),
)
_DEFAULTS: Record = {
    "status": catalogue.SCHEDULE_STATUSES[1],
    "doneFlag": False,
    "acknowledgedFlag": False,
    "ownerFlag": False,
    "meetingFlag": False,
    "allowScheduleConflictsFlag": False,
}
SERVICE = "S"
"""The type of those whose object is a ticket."""


def _finish(entry: Record, surroundings: Surroundings) -> None:
    if entry["type"]["identifier"] != SERVICE:
        return
    ticket = surroundings.tickets.row(entry["objectId"])
    if ticket is None:
        message = f"Service Ticket {entry['objectId']} not found"
        raise refuse(ENTRY, code="NotFound", message=message, field="objectId")
    company = ticket.record.get("company", {}).get("name", "")
    entry.setdefault("name", f"{company} / Ticket #{entry['objectId']}"[:250].removeprefix(" / "))


def resources_of(ticket: Record, member: Record) -> str:
    """What the ticket's `resources` says once this member works on it."""
    there = [name for name in str(ticket.get("resources") or "").split(", ") if name]
    return ", ".join(dict.fromkeys([*there, member["identifier"]]))


def _invent(record_id: int, surroundings: Surroundings) -> Record:
    ids = surroundings.tickets.ids()
    entry = {
        "id": record_id,
        "objectId": surroundings.pick(ids) if ids else 1,
        "type": {**catalogue.SCHEDULE_TYPES[4], "_info": {}},
        "member": surroundings.entry_of(catalogue.MEMBERS, "/system/members"),
        "dateStart": "2023-06-05T08:00:00Z",
        "dateEnd": "2023-06-05T09:00:00Z",
        "hours": 1.0,
        **_DEFAULTS,
        "status": {**catalogue.SCHEDULE_STATUSES[1], "_info": {}},
        "mobileGuid": surroundings.guid(),
    }
    return {**entry, "name": f"Ticket #{entry['objectId']}"}


SUBJECT = Subject(schema=ENTRY, defaults=_DEFAULTS, invent=_invent, finish=_finish)
