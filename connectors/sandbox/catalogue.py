"""The set-up tables of the sandbox's company: what references may name, and its custom fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sandbox.schema import Record

STATUSES_OF_A_BOARD = ("New", "In Progress", "Waiting on Client", "Completed", "Closed")
CLOSED_STATUSES = frozenset({"Completed", "Closed"})

BOARDS: Mapping[int, Record] = {
    number: {"id": number, "name": name}
    for number, name in enumerate(("Help Desk", "Network Operations", "Field Service", "Alerts"), start=1)
}
STATUSES: Mapping[int, Record] = {
    board * 10 + place: {"id": board * 10 + place, "name": name}
    for board in BOARDS
    for place, name in enumerate(STATUSES_OF_A_BOARD)
}
PRIORITIES: Mapping[int, Record] = {
    number: {"id": number, "name": name, "level": level, "sort": number}
    for number, name, level in (
        (1, "Priority 1 - Emergency", "Critical"),
        (2, "Priority 2 - High", "High"),
        (3, "Priority 3 - Normal", "Medium"),
        (4, "Priority 4 - Low", "Low"),
    )
}
MEMBERS: Mapping[int, Record] = {
    number: {"id": number, "identifier": identifier, "name": name}
    for number, identifier, name in (
        (101, "jsmith", "Jane Smith"),
        (102, "mgarcia", "María García"),
        (103, "tnguyen", "Thi Nguyễn"),
        (104, "SandboxApi", "Sandbox API"),
    )
}
COMPANY_STATUSES: Mapping[int, Record] = {
    number: {"id": number, "name": name} for number, name in enumerate(("Active", "Inactive", "Credit Hold"), start=1)
}
COUNTRIES: Mapping[int, Record] = {
    number: {"id": number, "name": name}
    for number, name in enumerate(("United States", "United Kingdom", "Germany", "Australia", "South Africa"), start=1)
}
LOCATIONS: Mapping[int, Record] = {2: {"id": 2, "name": "Tampa"}, 3: {"id": 3, "name": "Berlin"}}
WORK_TYPES: Mapping[int, Record] = {
    number: {"id": number, "name": name}
    for number, name in enumerate(("Remote", "On-site", "Travel", "Regular"), start=1)
}


def _named(*names: str) -> Mapping[int, Record]:
    return {number: {"id": number, "name": name} for number, name in enumerate(names, start=1)}


MARKETS = _named("Healthcare", "Legal", "Manufacturing", "Non-Profit", "Retail & Hospitality")
COMPANY_TYPES = _named("Customer", "Prospect", "Vendor")
CONFIGURATION_TYPES = _named("Workstation", "Server", "Printer", "Network Device", "Managed Server")
CONFIGURATION_STATUSES = _named("Active", "Inactive", "In Repair")
MANUFACTURERS = _named("Dell", "HP", "Lenovo", "Cisco")
OPPORTUNITY_TYPES = _named("New Business", "Renewal", "Upgrade")
OPPORTUNITY_STATUSES = _named("Open", "Won", "Lost", "No Decision")
OPPORTUNITY_STAGES = _named("1. Prospect", "2. Qualification", "3. Quote", "4. Negotiation", "5. Close")
OPPORTUNITY_PRIORITIES = _named("Hot", "Warm", "Cold")
PROBABILITIES = _named("10%", "25%", "50%", "75%", "90%")
RATINGS = _named("A", "B", "C")
SCHEDULE_TYPES: Mapping[int, Record] = {
    number: {"id": number, "identifier": identifier, "name": name}
    for number, identifier, name in ((1, "C", "Sales Activity"), (4, "S", "Service"), (8, "O", "Company"))
}
SCHEDULE_STATUSES = _named("Firm", "Tentative")
CHARGE_TO_TYPES = ("ServiceTicket", "ProjectTicket", "ChargeCode", "Activity")
BILLABLE_OPTIONS = ("Billable", "DoNotBill", "NoCharge", "NoDefault")
TIME_STATUSES = (
    "Open",
    "Rejected",
    "PendingApproval",
    "ErrorsCorrected",
    "PendingProjectApproval",
    "ApprovedByTierOne",
    "RejectBySecondTier",
    "ApprovedByTierTwo",
    "ReadyToBill",
    "Billed",
    "WrittenOff",
    "BilledAgreement",
)
COMMUNICATION_TYPES: Mapping[int, tuple[str, str]] = {
    1: ("Email", "Email"),
    2: ("Direct", "Phone"),
    3: ("Fax", "Fax"),
    4: ("Cell", "Phone"),
}
"""By id: the name, and the `communicationType` it belongs to. The first of each is the default."""

TABLES: Mapping[tuple[str, str], tuple[str, Mapping[int, Record]]] = {
    ("Contact", "country"): ("Country", COUNTRIES),
    ("Contact", "companyLocation"): ("Location", LOCATIONS),
    ("Company", "status"): ("Company Status", COMPANY_STATUSES),
    ("Company", "country"): ("Country", COUNTRIES),
    ("Company", "market"): ("Market", MARKETS),
    ("Company", "territoryManager"): ("Member", MEMBERS),
    ("Ticket", "board"): ("Service Board", BOARDS),
    ("Ticket", "status"): ("Service Status", STATUSES),
    ("Ticket", "priority"): ("Priority", PRIORITIES),
    ("Ticket", "owner"): ("Member", MEMBERS),
    ("Ticket", "country"): ("Country", COUNTRIES),
    ("Ticket", "location"): ("Location", LOCATIONS),
    ("TimeEntry", "member"): ("Member", MEMBERS),
    ("TimeEntry", "workType"): ("Work Type", WORK_TYPES),
    ("ServiceNote", "member"): ("Member", MEMBERS),
    ("Configuration", "type"): ("Configuration Type", CONFIGURATION_TYPES),
    ("Configuration", "status"): ("Configuration Status", CONFIGURATION_STATUSES),
    ("Configuration", "manufacturer"): ("Manufacturer", MANUFACTURERS),
    ("Configuration", "installedBy"): ("Member", MEMBERS),
    ("Opportunity", "type"): ("Opportunity Type", OPPORTUNITY_TYPES),
    ("Opportunity", "stage"): ("Opportunity Stage", OPPORTUNITY_STAGES),
    ("Opportunity", "status"): ("Opportunity Status", OPPORTUNITY_STATUSES),
    ("Opportunity", "priority"): ("Opportunity Priority", OPPORTUNITY_PRIORITIES),
    ("Opportunity", "probability"): ("Probability", PROBABILITIES),
    ("Opportunity", "rating"): ("Rating", RATINGS),
    ("Opportunity", "primarySalesRep"): ("Member", MEMBERS),
    ("Opportunity", "secondarySalesRep"): ("Member", MEMBERS),
    ("ScheduleEntry", "member"): ("Member", MEMBERS),
    ("ScheduleEntry", "type"): ("Schedule Type", SCHEDULE_TYPES),
    ("ScheduleEntry", "status"): ("Schedule Status", SCHEDULE_STATUSES),
}
"""By kind and field: what messages call an entry, and the entries."""

CUSTOM_FIELDS: Mapping[str, Sequence[tuple[int, str, str, str]]] = {
    "Contact": [
        (15, "Region", "Text", "EntryField"),
        (16, "Newsletter", "Checkbox", "EntryField"),
        (17, "Preferred language", "Text", "List"),
        (19, "Satisfaction", "Number", "EntryField"),
        (20, "Assistant's remarks", "TextArea", "EntryField"),
    ],
    "Company": [(31, "Contract number", "Text", "EntryField"), (32, "Renewal", "Date", "Date")],
    "Ticket": [(41, "Root cause", "Text", "List"), (42, "Asset tag", "Text", "EntryField")],
    "TimeEntry": [(51, "Travel", "Checkbox", "EntryField")],
    "Configuration": [(61, "Rack", "Text", "EntryField")],
    "Opportunity": [(71, "Competitor", "Text", "List")],
}
"""By kind: id, caption, type and the way it is entered."""


def custom_fields(kind: str, values: Mapping[str, Any]) -> list[Record]:
    """Every defined custom field is listed; those without a value keep their null."""
    return [
        {
            "id": number,
            "caption": caption,
            "type": type_,
            "entryMethod": method,
            "numberOfDecimals": 0,
            "value": values.get(caption),
            "connectWiseId": f"5222f3a0-7c1e-4d8b-9b60-0000000000{number}",
            "rowNum": place,
            "userDefinedFieldRecId": number,
            "podId": f"{kind.lower()}s_{kind.lower()}_overview",
        }
        for place, (number, caption, type_, method) in enumerate(CUSTOM_FIELDS[kind], start=1)
    ]


def reference(entry: Record, *, href: str) -> Record:
    """As records show it: with its link, which never is the host that was called."""
    return {**entry, "_info": {"href": href}}
