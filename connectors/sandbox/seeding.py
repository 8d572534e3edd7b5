"""Invented records that look like real ones. The same seed and counts give the same data, stamps included."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar
from unicodedata import combining, normalize

from connectors.sandbox import catalogue
from connectors.sandbox.clock import stamp
from connectors.sandbox.collection import HREF_BASE, hrefs
from connectors.sandbox.communications import communication_item
from connectors.sandbox.references import company_reference, ticket_reference
from connectors.sandbox.schema import COMPANY, CONTACT, TICKET, TIME_ENTRY, Record, Schema

T = TypeVar("T")

SEEDED_FROM = datetime(2022, 1, 3, 8, tzinfo=UTC)
SEEDED_TO = datetime(2023, 12, 29, 17, tzinfo=UTC)

_FIRST_NAMES = (
    "Zoë Ann José Siobhán Björn Mary-Jane Nguyễn Łukasz Åsa 裕子 Дмитрий عمر Chloé Renée Jürgen Priya Kwame "
    "Aoife François Linda Tom Fatima Søren Ivana Noor Jean-Luc Wei Olga Thabo Grace"
)
_LAST_NAMES = (
    "O'Brien Smith García Müller d'Angelo Nowak Łaski Sørensen 田中 Иванов Cohen-Levy Õun Ó'Súilleabháin Nkosi Patel "
    "Jones Brown Vàsquez Dvořák Yildiz Kovács Li van.der.Berg Ferreira Papadopoulos Lindqvist Abbas Moreau King Reyes"
)
_FIRST, _LAST = _FIRST_NAMES.split(), _LAST_NAMES.split()
_COMPANY_FIRST = (
    "Acme",
    "Bright & Sons",
    "Café Olé",
    "O'Neill",
    'The "Original" Bakery',
    "Müller + Söhne",
    "Northwind",
    "100% Print",
    "Łódź Logistics",
    "Blue_Sky",
    "Ångström Labs",
    "山本工業",
    "Backslash\\Works",
    "Tampa Bay Dental",
    "Kingfisher",
)
_COMPANY_LAST = ("Ltd", "GmbH", "Inc.", "[Holding]", "LLC", "S.A.", "& Partners", "Group")
_CITIES = (("Tampa", "FL", 1), ("London", "", 2), ("Köln", "NW", 3), ("Perth", "WA", 4), ("Gqeberha", "EC", 5))
_TITLES = ("CTO", "Office Manager", "Accountant", 'Head of "IT"', "Owner", "Support & Service", "Empfang")
_PROBLEMS = (
    "Printer on floor 2 says <b>PC LOAD LETTER</b>",
    "Can't log in since this morning",
    'Mailbox "shared" is full (100%)',
    "VPN drops every 10 minutes",
    "New starter: laptop, phone & badge 🎉",
    "Backup job failed on SRV-01\\backup",
    "شاشة لا تعمل",
    "Wi-Fi in the café is slow",
    "Email to o'brien@example.com bounces",
)


class Inventor:
    """Makes up records. Companies first, time entries last: each kind refers to those before it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.companies: list[Record] = []
        """References to the companies there are, as contacts and tickets carry them."""
        self.tickets: list[Record] = []
        """The tickets there are, as time entries carry them: `company` and `ticket`."""

    def again(self) -> Inventor:
        """Another one that goes on from here."""
        another = Inventor(0)
        another._random.setstate(self._random.getstate())
        another.companies, another.tickets = list(self.companies), list(self.tickets)
        return another

    def seeded(self, schema: Schema, count: int) -> Iterator[tuple[Record, datetime]]:
        """Whole records with the moments they were saved at, by ascending ids with gaps."""
        invent = self.inventing(schema)
        span = (SEEDED_TO - SEEDED_FROM) / max(count, 1)
        for number in range(1, count + 1):
            record = invent(number + (number - 1) // 20 * 3)
            entered = (SEEDED_FROM + number * span * self._random.random()).replace(microsecond=0)
            moment = entered + timedelta(seconds=int(self._random.random() * 5_000_000))
            moment = min(moment, SEEDED_TO)
            info: Record = {"lastUpdated": stamp(moment), "updatedBy": self._pick(_MEMBERS)}
            if schema.entry_stamp != "none":
                entry = {"dateEntered": stamp(entered), "enteredBy": self._pick(_MEMBERS)}
                (info if schema.entry_stamp == "info" else record).update(entry)
            record["_info"] = info | hrefs(schema, record["id"], stamp=info["lastUpdated"])
            yield record, moment
            if schema is COMPANY:
                self.companies.append(company_reference(record))
            elif schema is TICKET:
                company = {"company": record["company"]} if "company" in record else {}
                self.tickets.append({**company, "ticket": ticket_reference(record)})

    def inventing(self, schema: Schema) -> Callable[[int], Record]:
        """What makes up one record of this kind, without its `_info`, for an id."""
        return {
            CONTACT.kind: self.contact,
            COMPANY.kind: self.company,
            TICKET.kind: self.ticket,
            TIME_ENTRY.kind: self.time_entry,
        }[schema.kind]

    def company(self, record_id: int) -> Record:
        city, state, country = self._pick(_CITIES)
        name = f"{self._pick(_COMPANY_FIRST)} {self._pick(_COMPANY_LAST)}"
        record: Record = {
            "id": record_id,
            "identifier": f"{_plain(name)[:20]}{record_id}",
            "name": name[:50],
            "status": _reference(catalogue.COMPANY_STATUSES[1], "companies/statuses"),
            "addressLine1": f"{record_id} Harbour Street",
            "city": city,
            "state": state,
            "zip": f"{10000 + record_id % 90000}",
            "country": _reference(catalogue.COUNTRIES[country], "countries"),
            "phoneNumber": self._phone(),
            "faxNumber": "",
            "website": f"https://www.{_plain(name).lower()}.example",
            "territory": {"id": 2, "name": "Corporate", "_info": {}},
            "accountNumber": f"A-{record_id:06d}",
            "annualRevenue": record_id * 1250.5,
            "numberOfEmployees": self._random.randrange(1, 900),
            "leadFlag": False,
            "unsubscribeFlag": False,
            "deletedFlag": False,
            "mobileGuid": self._guid(),
            "isVendorFlag": record_id % 11 == 0,
            "types": [{"id": 1, "name": "Customer", "_info": {}}],
            "site": {"id": record_id * 10, "name": "Main", "_info": {}},
            "integratorTags": [],
            "customFields": catalogue.custom_fields("Company", {"Contract number": f"C{record_id}"}),
        }
        return record

    def contact(self, record_id: int) -> Record:
        first, last = self._pick(_FIRST), self._pick(_LAST)
        record: Record = {"id": record_id, "firstName": first}
        if record_id % 17:  # a last name and a company may be missing altogether
            record["lastName"] = last
        if self.companies and record_id % 13:
            company = self._pick(self.companies)
            record["company"] = company
            record["site"] = {"id": company["id"] * 10, "name": "Main", "_info": {}}
        phone = self._phone()
        domain = f"@{_plain(record.get('company', {}).get('name', 'mail')).lower() or 'mail'}.example"
        address = f"{_plain(first).lower() or 'contact'}.{record_id}{domain}"
        record |= {
            "inactiveFlag": record_id % 23 == 0,
            "title": self._pick(_TITLES),
            "marriedFlag": False,
            "childrenFlag": False,
            "portalSecurityLevel": self._random.randrange(1, 6),
            "disablePortalLoginFlag": True,
            "unsubscribeFlag": record_id % 7 == 0,
            "mobileGuid": self._guid(),
            "defaultPhoneType": "Direct",
            "defaultPhoneNbr": phone,
            "defaultBillingFlag": False,
            "defaultFlag": False,
            "companyLocation": _reference(catalogue.LOCATIONS[2], "locations"),
            "communicationItems": [
                communication_item(record_id * 10, 1, address, is_default=True),
                communication_item(record_id * 10 + 1, 2, phone, is_default=True),
            ],
            "types": [],
            "integratorTags": [],
            "customFields": catalogue.custom_fields("Contact", {"Region": self._pick(("North", "South", None))}),
            "ignoreDuplicates": False,
        }
        return record

    def ticket(self, record_id: int) -> Record:
        board = self._random.randrange(1, 5)
        status = catalogue.STATUSES[board * 10 + self._random.randrange(5)]
        severity = self._pick(("Low", "Medium", "High"))
        record: Record = {
            "id": record_id,
            "summary": f"{self._pick(_PROBLEMS)} #{record_id}"[:100],
            "recordType": "ServiceTicket",
            "board": _reference(catalogue.BOARDS[board], "boards"),
            "status": _reference(status, "statuses"),
            "priority": _reference(catalogue.PRIORITIES[self._random.randrange(1, 5)], "priorities"),
            "severity": severity,
            "impact": severity,
            "allowAllClientsPortalView": False,
            "customerUpdatedFlag": False,
            "automaticEmailContactFlag": False,
            "automaticEmailResourceFlag": False,
            "automaticEmailCcFlag": False,
            "closedFlag": status["name"] in catalogue.CLOSED_STATUSES,
            "approved": True,
            "actualHours": self._random.randrange(0, 40) / 4,
            "estimatedExpenseCost": 0.0,
            "requiredDate": f"2024-0{record_id % 9 + 1}-15T00:00:00Z",
            "isInSla": False,
            "hasChildTicket": False,
            "billTime": "Billable",
            "billExpenses": "Billable",
            "billProducts": "Billable",
            "mobileGuid": self._guid(),
            "requestForChangeFlag": False,
            "integratorTags": [],
            "customFields": catalogue.custom_fields("Ticket", {}),
        }
        if self.companies:
            record["company"] = self._pick(self.companies)
        if record_id % 3:
            record["owner"] = _reference(self._pick(list(catalogue.MEMBERS.values())), "members")
            record["resources"] = record["owner"]["identifier"]
        return record

    def time_entry(self, record_id: int) -> Record:
        begun = SEEDED_FROM + timedelta(days=record_id % 600, hours=record_id % 9)
        hours = self._random.randrange(1, 17) / 4
        record: Record = {
            "id": record_id,
            "chargeToType": "ChargeCode",
            "member": _reference(self._pick(list(catalogue.MEMBERS.values())), "members"),
            "locationId": 2,
            "businessUnitId": 10,
            "workType": _reference(self._pick(list(catalogue.WORK_TYPES.values())[:3]), "workTypes"),
            "timeStart": stamp(begun),
            "timeEnd": stamp(begun + timedelta(hours=hours)),
            "hoursDeduct": 0.0,
            "actualHours": hours,
            "billableOption": self._pick(catalogue.BILLABLE_OPTIONS[:3]),
            "notes": f"{self._pick(_PROBLEMS)}\nSolved on the {self._pick(('phone', 'spot', '2nd try'))}.",
            "addToDetailDescriptionFlag": False,
            "addToInternalAnalysisFlag": False,
            "addToResolutionFlag": record_id % 4 == 0,
            "emailResourceFlag": False,
            "emailContactFlag": False,
            "emailCcFlag": False,
            "hoursBilled": hours,
            "mobileGuid": self._guid(),
            "hourlyRate": 120.0,
            "status": self._pick(catalogue.TIME_STATUSES[:3]),
            "customFields": catalogue.custom_fields("TimeEntry", {}),
        }
        if self.tickets and record_id % 8:  # the others are spent on nobody's ticket
            charged = self._pick(self.tickets)
            record |= {"chargeToType": "ServiceTicket", "chargeToId": charged["ticket"]["id"], **charged}
        return record

    def _pick(self, choices: Sequence[T]) -> T:
        return choices[int(self._random.random() * len(choices))]

    def _phone(self) -> str:
        return f"813555{self._random.randrange(10000):04d}"

    def _guid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


_MEMBERS = tuple(member["identifier"] for member in catalogue.MEMBERS.values())


def _reference(entry: Record, table: str) -> Record:
    return catalogue.reference(entry, href=f"{HREF_BASE}/{table}/{entry['id']}")


@lru_cache(1024)
def _plain(text: str) -> str:
    """ASCII letters and digits only: for identifiers and addresses."""
    letters = normalize("NFKD", text)
    return "".join(letter for letter in letters if letter.isascii() and letter.isalnum() and not combining(letter))
