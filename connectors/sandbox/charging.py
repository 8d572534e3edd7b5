"""What a time entry is charged to, and how long it was, as the server completes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.sandbox import catalogue
from connectors.sandbox.clock import parse_stamp
from connectors.sandbox.collection import Collection
from connectors.sandbox.references import ticket_reference
from connectors.sandbox.refusals import Problem, invalid_object
from connectors.sandbox.schema import Record

RESOURCE = "timeEntry"
_CHOICES: Mapping[str, Sequence[str]] = {
    "chargeToType": catalogue.CHARGE_TO_TYPES,
    "billableOption": catalogue.BILLABLE_OPTIONS,
    "status": catalogue.TIME_STATUSES,
}


def finish_time_entry(record: Record, *, tickets: Collection) -> None:
    """The ticket and its company by `chargeToId`, the hours by start and end. Raises Refusal (400)."""
    record.setdefault("chargeToType", "ServiceTicket" if "chargeToId" in record else "ChargeCode")
    problems = [
        _problem("InvalidField", f"The field {name} must be one of {', '.join(choices)}.", name)
        for name, choices in _CHOICES.items()
        if record.get(name) not in choices
    ]
    if record["chargeToType"] == "ServiceTicket":
        row = tickets.row(record["chargeToId"]) if "chargeToId" in record else None
        if row is None:
            message = f"Service Ticket {record.get('chargeToId')} not found"
            problems.append(_problem("NotFound", message, "chargeToId"))
        else:
            record["ticket"] = ticket_reference(row.record)
            if "company" in row.record:
                record["company"] = row.record["company"]
    begun, ended = parse_stamp(record["timeStart"]), parse_stamp(record.get("timeEnd", ""))
    if begun is not None and ended is not None:
        if ended < begun:
            problems.append(_problem("InvalidField", "The field timeEnd must not be before timeStart.", "timeEnd"))
        hours = (ended - begun).total_seconds() / 3600 - float(record.get("hoursDeduct") or 0)
        record["actualHours"] = round(hours, 2)
    if problems:
        raise invalid_object(RESOURCE, problems)


def _problem(code: str, message: str, field: str) -> Problem:
    return Problem(code=code, message=message, resource=RESOURCE, field=field)
