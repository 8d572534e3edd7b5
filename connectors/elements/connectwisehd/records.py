"""Records in this hub's words: the field names of ConnectWise's former SOAP API, each with where it lies in REST.

The tables are data. A path leads through references (`company.name`), `a|b` is the first of two that is there.
What no table names is left out; what a record lacks, in whatever shape, is null.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from connectors.element import FieldType
from connectors.errors import InvalidQuery, UnusableAnswer

Record = dict[str, Any]

EMAIL, PHONE, FAX = "Email", "Phone", "Fax"
_ITEMS = "communicationItems"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The fields of one resource: hub name -> path in the provider's record, by type."""

    texts: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    booleans: Mapping[str, str] = field(default_factory=dict)
    datetimes: Mapping[str, str] = field(default_factory=dict)
    """Text on both sides."""
    milliseconds: Mapping[str, str] = field(default_factory=dict)
    """Moments that are numbers in the hub, counted from 1970."""
    communications: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Values of the default communication item of a type, and a path for records that carry no items."""
    only_where: Mapping[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    """Fields that mean this only where another field, by its path, has one of some values."""

    def paths(self) -> dict[str, str]:
        """Every field that has a path of its own, the id first."""
        return {**self.numbers, **self.texts, **self.booleans, **self.datetimes, **self.milliseconds}

    def provider_names(self) -> dict[str, str]:
        """Every field as conditions call it. Of alternatives the first: conditions have no words for "else"."""
        return {name: _condition_name(path.partition("|")[0]) for name, path in self.paths().items()}

    def field_types(self) -> dict[str, FieldType]:
        return {
            **dict.fromkeys(self.numbers, "number"),
            **dict.fromkeys(self.booleans, "boolean"),
            **dict.fromkeys(self.datetimes, "datetime"),
            **dict.fromkeys(self.milliseconds, "milliseconds"),
        }

    def child_fields(self) -> dict[str, tuple[str, str]]:
        return {
            name: (f'{_ITEMS}/communicationType = "{kind}" and {_ITEMS}/value {{test}}', _ITEMS)
            for name, (kind, _) in self.communications.items()
        }


def _same(names: str) -> dict[str, str]:
    return {name: name for name in names.split()}


def _condition_name(path: str) -> str:
    # Both spellings are understood; this one even for records whose model has no such field.
    return {"_info.lastUpdated": "lastUpdated", "_info.dateEntered": "dateEntered"}.get(path, path)


_USER_DEFINED = _same(" ".join(f"userDefinedField{number}" for number in range(1, 11)))

CONTACTS = Table(
    numbers={
        "id": "id",
        "companyId": "company.id",
        "siteId": "site.id",
        "managerContactId": "managerContact.id",
        "assistantContactId": "assistantContact.id",
        "portalSecurityLevel": "portalSecurityLevel",
    },
    texts={
        **_same("firstName lastName nickName title school gender"),
        "companyIdentifier": "company.identifier",
        "companyName": "company.name",
        "siteName": "site.name",
        **_same("addressLine1 addressLine2 city state zip"),
        "country": "country.name",
        "relationship": "relationship.name",
        "department": "department.name",
        "managerContactName": "managerContact.name",
        "assistantContactName": "assistantContact.name",
        "location": "companyLocation.name",
        "phoneExtension": "defaultPhoneExtension",
        **_same("presence facebookUrl twitterUrl linkedInUrl"),
        **_USER_DEFINED,
        "updatedBy": "_info.updatedBy",
    },
    booleans={
        "inactive": "inactiveFlag",
        "married": "marriedFlag",
        "children": "childrenFlag",
        "unsubscribe": "unsubscribeFlag",
        "disablePortalLogin": "disablePortalLoginFlag",
        "defaultBilling": "defaultBillingFlag",
        "defaultContact": "defaultFlag",
    },
    datetimes={**_same("birthDay anniversary"), "lastUpdated": "_info.lastUpdated"},
    communications={"email": (EMAIL, ""), "phone": (PHONE, "defaultPhoneNbr"), "fax": (FAX, "")},
)

ORGANIZATIONS = Table(
    numbers={
        "id": "id",
        "statusId": "status.id",
        "marketId": "market.id",
        "territoryId": "territory.id",
        "defaultContactId": "defaultContact.id",
        "parentCompanyId": "parentCompany.id",
        "billToCompanyId": "billToCompany.id",
        **_same("annualRevenue numberOfEmployees yearEstablished"),
    },
    texts={
        "companyName": "name",
        "companyIdentifier": "identifier",
        "statusName": "status.name",
        **_same("phoneNumber faxNumber website"),
        "market": "market.name",
        "territory": "territory.name",
        "defaultAddress.siteName": "site.name",
        "defaultAddress.addressLine1": "addressLine1",
        "defaultAddress.addressLine2": "addressLine2",
        "defaultAddress.city": "city",
        "defaultAddress.state": "state",
        "defaultAddress.zip": "zip",
        "defaultAddress.country": "country.name",
        "accountNumber": "accountNumber",
        "defaultContactName": "defaultContact.name",
        "parentCompanyIdentifier": "parentCompany.identifier",
        "parentCompanyName": "parentCompany.name",
        "billToCompanyIdentifier": "billToCompany.identifier",
        "billToCompanyName": "billToCompany.name",
        "ownershipType": "ownershipType.name",
        "territoryManager": "territoryManager.identifier",
        "timeZone": "timeZoneSetup.name",
        "taxCode": "taxCode.name",
        "billingTerms": "billingTerms.name",
        **_same("leadSource taxIdentifier invoiceToEmailAddress deletedBy"),
        **_USER_DEFINED,
        "enteredBy": "_info.enteredBy",
        "updatedBy": "_info.updatedBy",
    },
    booleans={
        "deleted": "deletedFlag",
        "lead": "leadFlag",
        "vendor": "isVendorFlag",
        "unsubscribe": "unsubscribeFlag",
    },
    datetimes={
        **_same("dateAcquired dateDeleted"),
        "dateEntered": "_info.dateEntered",
        "lastUpdated": "_info.lastUpdated",
    },
)

INCIDENTS = Table(
    numbers={
        "id": "id",
        "boardId": "board.id",
        "statusId": "status.id",
        "companyId": "company.id",
        "siteId": "site.id",
        "contactId": "contact.id",
        "priorityId": "priority.id",
        "agreementId": "agreement.id",
        "opportunityId": "opportunity.id",
        "mergedParentTicketId": "mergedParentTicket.id",
        **_same("parentTicketId budgetHours actualHours duration resolveMinutes respondMinutes resPlanMinutes"),
    },
    texts={
        **_same("summary recordType"),
        "board": "board.name",
        "statusName": "status.name",
        "companyIdentifier": "company.identifier",
        "companyName": "company.name",
        "siteName": "siteName|site.name",
        **_same("addressLine1 addressLine2 city"),
        "state": "stateIdentifier",
        "zip": "zip",
        "country": "country.name",
        "contactName": "contactName|contact.name",
        **_same("contactPhoneNumber contactPhoneExtension contactEmailAddress"),
        "serviceType": "type.name",
        "serviceSubType": "subType.name",
        "serviceItem": "item.name",
        "team": "team.name",
        "owner": "owner.identifier",
        "ownerName": "owner.name",
        "resources": "resources",
        "priority": "priority.name",
        **_same("severity impact"),
        "source": "source.name",
        "serviceLocation": "serviceLocation.name",
        "location": "location.name",
        "department": "department.name",
        "agreement": "agreement.name",
        "sla": "sla.name",
        **_same("slaStatus externalXRef poNumber automaticEmailCc billTime billExpenses billProducts closedBy"),
        "enteredBy": "_info.enteredBy",
        "updatedBy": "_info.updatedBy",
    },
    booleans={
        "closed": "closedFlag",
        "approved": "approved",
        "customerUpdated": "customerUpdatedFlag",
        "automaticEmailContact": "automaticEmailContactFlag",
        "automaticEmailResource": "automaticEmailResourceFlag",
        "allowAllClientsPortalView": "allowAllClientsPortalView",
        "requestForChange": "requestForChangeFlag",
        **_same("isInSla hasChildTicket"),
    },
    datetimes={
        **_same("requiredDate closedDate dateResolved dateResplan dateResponded estimatedStartDate"),
        "dateEntered": "_info.dateEntered",
        "lastUpdated": "_info.lastUpdated",
    },
)

TIME_ENTRIES = Table(
    numbers={
        "id": "id",
        "ticketId": "chargeToId",
        "chargeToId": "chargeToId",
        "companyId": "company.id",
        "memberId": "member.id",
        "workTypeId": "workType.id",
        "workRoleId": "workRole.id",
        "agreementId": "agreement.id",
        "projectId": "project.id",
        "phaseId": "phase.id",
        "invoiceId": "invoice.id",
        "timeSheetId": "timeSheet.id",
        "hours": "actualHours",
        **_same("hoursDeduct hoursBilled hourlyRate locationId businessUnitId"),
    },
    texts={
        "chargeToType": "chargeToType",
        "companyIdentifier": "company.identifier",
        "companyName": "company.name",
        "memberIdentifier": "member.identifier",
        "memberName": "member.name",
        "workType": "workType.name",
        "workRole": "workRole.name",
        "agreement": "agreement.name",
        **_same("billableOption notes internalNotes status emailCc"),
        "enteredBy": "enteredBy",
        "updatedBy": "_info.updatedBy",
    },
    booleans={
        "addToDetailDescription": "addToDetailDescriptionFlag",
        "addToInternalAnalysis": "addToInternalAnalysisFlag",
        "addToResolution": "addToResolutionFlag",
        "emailResource": "emailResourceFlag",
        "emailContact": "emailContactFlag",
    },
    datetimes={"dateEntered": "dateEntered", "lastUpdated": "_info.lastUpdated"},
    milliseconds={"dateStart": "timeStart", "dateEnd": "timeEnd"},
    only_where={"ticketId": ("chargeToType", frozenset({"ServiceTicket", "ProjectTicket"}))},
)

TABLES: Mapping[str, Table] = {
    "contacts": CONTACTS,
    "organizations": ORGANIZATIONS,
    "incidents": INCIDENTS,
    "time-entries": TIME_ENTRIES,
}


# --- one record -----------------------------------------------------------------------------------------------------


def hub_record(resource_name: str, provider_record: Mapping[str, Any]) -> Record:
    """The record as this hub has it, nulls included. No record makes it fail.

    Raises KeyError for a resource that this element does not map.
    """
    record: Record = {}
    for hub_path, read in _READERS[resource_name]:
        inner = record
        for name in hub_path[:-1]:
            inner = inner.setdefault(name, {})
        inner[hub_path[-1]] = read(provider_record)
    return record


_Read = Callable[[Mapping[str, Any]], Any]


def _readers(table: Table) -> list[tuple[tuple[str, ...], _Read]]:
    readers: dict[str, _Read] = {name: _value_at(path) for name, path in table.paths().items()}
    readers |= {name: _milliseconds_at(path) for name, path in table.milliseconds.items()}
    readers |= {name: _communication(kind, path) for name, (kind, path) in table.communications.items()}
    readers |= {name: _only(readers[name], path, values) for name, (path, values) in table.only_where.items()}
    return [(tuple(name.split(".")), read) for name, read in readers.items()]


def _value_at(path: str) -> _Read:
    """The first that is there; null where the way there leads through something else than references."""
    first, _, other = path.partition("|")
    if other:
        read_first, read_other = _value_at(first), _value_at(other)

        def read_either(record: Mapping[str, Any]) -> Any:
            value = read_first(record)
            return read_other(record) if value is None else value

        return read_either
    name, _, part = first.partition(".")
    if not part:
        return lambda record: record.get(name)

    def read_part(record: Mapping[str, Any]) -> Any:
        reference = record.get(name)
        return reference.get(part) if isinstance(reference, dict) else None

    return read_part


def _milliseconds_at(path: str) -> _Read:
    def read(record: Mapping[str, Any]) -> int | None:
        try:
            moment = datetime.fromisoformat(record.get(path) or "")
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (TypeError, ValueError, OverflowError):
            return None
        return round(moment.timestamp() * 1000)

    return read


def _communication(kind: str, else_path: str) -> _Read:
    """The value of the default item of this kind, else of the first one."""

    def read(record: Mapping[str, Any]) -> Any:
        items = record.get(_ITEMS)
        if not isinstance(items, list):
            # Callbacks and partial answers come without the items, but with a copy of the default number.
            return record.get(else_path) if else_path else None
        ours = [item for item in items if isinstance(item, dict) and item.get("communicationType") == kind]
        defaults = [item for item in ours if item.get("defaultFlag") is True]
        return next((item.get("value") for item in defaults or ours), None)

    return read


def _only(read: _Read, path: str, values: frozenset[str]) -> _Read:
    def read_if(record: Mapping[str, Any]) -> Any:
        told_by = record.get(path)
        return read(record) if isinstance(told_by, str) and told_by in values else None

    return read_if


_READERS = {name: _readers(table) for name, table in TABLES.items()}


# --- some fields of it ----------------------------------------------------------------------------------------------


def provider_fields(resource_name: str, asked: Sequence[str]) -> list[str]:
    """The paths that the provider has to give for `fields=asked`, the id first.

    Raises InvalidQuery for a name that the resource has not.
    """
    table = TABLES[resource_name]
    paths = table.paths()
    needed = ["id"]
    for name in _selected(resource_name, asked):
        if name in table.communications:
            needed += [path for path in (_ITEMS, table.communications[name][1]) if path]
        else:
            needed += paths[name].split("|")
        if name in table.only_where:
            needed.append(table.only_where[name][0])
    return list(dict.fromkeys(needed))


def cut(resource_name: str, record: Record, asked: Sequence[str]) -> Record:
    """The hub record with its id and the fields asked for."""
    wanted: Record = {}
    for name in dict.fromkeys(("id", *_selected(resource_name, asked))):
        *outer, last = name.split(".")
        inner, source = wanted, record
        for part in outer:
            inner, source = inner.setdefault(part, {}), source[part]
        inner[last] = source[last]
    return wanted


def _selected(resource_name: str, asked: Sequence[str]) -> Iterator[str]:
    """The names as the tables have them: `defaultaddress` is all fields of the address."""
    table = TABLES[resource_name]
    known = [*table.paths(), *table.communications]
    for name in asked:
        text = name.strip().casefold().replace("/", ".")
        found = [one for one in known if one.casefold() == text or one.casefold().startswith(f"{text}.")]
        if not text or not found:
            raise InvalidQuery(
                f"fields: {resource_name} have no field {name.strip()[:60]!r}; they have {', '.join(known[:12])} "
                "and others"
            )
        yield from found


# --- a page ---------------------------------------------------------------------------------------------------------


def hub_page(resource_name: str, body: bytes, *, fields: Sequence[str] = ()) -> bytes:
    """A complete JSON array of the provider's records as one of hub records, in the same order and number.

    Raises UnusableAnswer where a record is nested without end.
    """

    def mapped(record: Mapping[str, Any]) -> Record:
        found = hub_record(resource_name, record)
        return cut(resource_name, found, fields) if fields else found

    try:
        return orjson.dumps([mapped(record) for record in orjson.loads(body)])
    except (ValueError, TypeError, RecursionError):
        pass
    try:
        # Legal JSON that only slow readers take: half of a surrogate pair, a number with hundreds of digits.
        page = json.loads(body)
        text = json.dumps([mapped(record) for record in page], separators=(",", ":"), ensure_ascii=False)
        # What is half a letter becomes the sign for that: the next reader is a quick one.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    except (ValueError, RecursionError):
        raise UnusableAnswer("A record is nested too deeply, or holds what is no JSON") from None
