"""Which fields the records have, of which type: what may be asked for, sorted by and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Record = dict[str, Any]
FieldType = Literal["text", "number", "boolean", "datetime", "reference", "array"]

NO_FIELDS: Mapping[str, Field] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: FieldType
    longest: int | None = None
    """Of a text, in characters."""
    parts: Mapping[str, Field] = field(default_factory=lambda: NO_FIELDS)
    """Of a reference, or of each item of an array; by name in lower case."""


class UnknownField(LookupError):
    """The resource has no such field."""


class FieldInArray(LookupError):
    """The field lies inside an array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One resource. `fields` is by name in lower case: names in queries are taken in any case."""

    kind: str
    """As messages call it: `Contact`."""
    path: str
    fields: Mapping[str, Field]
    required: tuple[str, ...]
    hrefs: tuple[tuple[str, str], ...]
    """Links in `_info`: name and path behind `apis/3.0`, with `{id}`."""
    entry_stamp: Literal["none", "info", "record"]
    """Where `dateEntered` and `enteredBy` are: contacts have none, time entries have them outside of `_info`."""
    entry_names: tuple[str, str] = ("dateEntered", "enteredBy")
    """What the entry's moment and its author are called."""
    read_only: tuple[str, ...] = ()
    """Beside `id` and `_info`."""
    required_on_update: tuple[str, ...] = ()
    """Beside `required`."""
    parent_field: str = ""
    """Holds the id that stands for `{parent}` in the path."""
    is_table: bool = False
    """Of the set-up: it is read through the API, and written elsewhere."""

    def resolve(self, name: str) -> tuple[tuple[str, ...], Field]:
        """A name as queries write it, `company/identifier` in any case, as its path and its field.

        Raises UnknownField, and FieldInArray for what conditions cannot reach.
        """
        if name.lower() in ("lastupdated", "dateentered") and name.lower() not in self.fields:
            name = f"_info/{name}"
        first, *rest = name.lower().split("/")
        found = self.fields.get(first)
        path = [found.name] if found else []
        for part in rest:
            if found is None:
                break
            if found.type == "array":
                raise FieldInArray(name)
            found = found.parts.get(part)
            path += [found.name] if found else []
        if found is None:
            raise UnknownField(name)
        return tuple(path), found

    def writable(self) -> Iterator[Field]:
        return (one for one in self.fields.values() if self.is_writable(one.name))

    def is_writable(self, name: str) -> bool:
        return name not in ("id", "_info", *self.read_only)


def fields_of(
    *,
    texts: str = "",
    numbers: str = "",
    booleans: str = "",
    datetimes: str = "",
    references: str = "",
    others: tuple[Field, ...] = (),
) -> Mapping[str, Field]:
    """Names separated by blanks; a text may carry its greatest length, `summary:100`."""
    found: list[Field] = []
    for text in texts.split():
        name, _, longest = text.partition(":")
        found.append(Field(name, "text", int(longest) if longest else None))
    found += [Field(name, "number") for name in numbers.split()]
    found += [Field(name, "boolean") for name in booleans.split()]
    found += [Field(name, "datetime") for name in datetimes.split()]
    found += [Field(name, "reference", parts=REFERENCE) for name in references.split()]
    found += others
    return MappingProxyType({one.name.lower(): one for one in found})


REFERENCE = fields_of(texts="name", numbers="id")
NAMED_REFERENCE = fields_of(texts="identifier name", numbers="id")
SAVED = fields_of(texts="updatedBy", datetimes="lastUpdated")
ENTERED = fields_of(texts="updatedBy enteredBy", datetimes="lastUpdated dateEntered")
_USER_DEFINED = " ".join(f"userDefinedField{number}:50" for number in range(1, 11))
CUSTOM_FIELDS = Field(
    "customFields", "array", parts=fields_of(texts="caption value type entryMethod podId", numbers="id rowNum")
)
_TYPES = Field("types", "array", parts=REFERENCE)


def named(*names: str) -> tuple[Field, ...]:
    """References that have an identifier: companies and members."""
    return tuple(Field(name, "reference", parts=NAMED_REFERENCE) for name in names)


CONTACT = Schema(
    kind="Contact",
    path="/company/contacts",
    required=("firstName",),
    entry_stamp="none",
    hrefs=(
        ("communications_href", "/company/contacts/{id}/communications"),
        ("notes_href", "/company/contacts/{id}/notes"),
        ("tracks_href", "/company/contacts/{id}/tracks"),
        ("image_href", "/company/contacts/{id}/image?lastModified={stamp}"),
    ),
    fields=fields_of(
        texts="firstName:30 lastName:30 title:100 addressLine1:50 addressLine2:50 city:50 state:50 zip:12 nickName:30 "
        "school:50 gender presence facebookUrl:1000 twitterUrl:1000 linkedInUrl:1000 mobileGuid defaultPhoneType "
        f"defaultPhoneNbr defaultPhoneExtension {_USER_DEFINED}",
        numbers="id portalSecurityLevel defaultMergeContactId",
        booleans="inactiveFlag marriedFlag childrenFlag disablePortalLoginFlag unsubscribeFlag defaultBillingFlag "
        "defaultFlag ignoreDuplicates",
        datetimes="birthDay anniversary",
        references="site country relationship department managerContact assistantContact companyLocation photo",
        others=(
            *named("company"),
            Field("_info", "reference", parts=SAVED),
            Field(
                "communicationItems",
                "array",
                parts=fields_of(
                    texts="value extension domain communicationType",
                    numbers="id",
                    booleans="defaultFlag",
                    references="type",
                ),
            ),
            _TYPES,
            CUSTOM_FIELDS,
        ),
    ),
)

COMPANY = Schema(
    kind="Company",
    path="/company/companies",
    required=("identifier", "name"),
    entry_stamp="info",
    hrefs=(
        ("agreements_href", "/finance/agreements?conditions=company/id={id}"),
        ("contacts_href", "/company/contacts?conditions=company/id={id}"),
        ("notes_href", "/company/companies/{id}/notes"),
        ("sites_href", "/company/companies/{id}/sites"),
        ("tickets_href", "/service/tickets?conditions=company/id={id}"),
    ),
    fields=fields_of(
        texts="identifier:30 name:50 addressLine1:50 addressLine2:50 city:50 state:50 zip:12 phoneNumber:30 "
        "faxNumber:30 website:255 accountNumber:100 leadSource:50 taxIdentifier invoiceToEmailAddress deletedBy "
        f"mobileGuid {_USER_DEFINED}",
        numbers="id annualRevenue numberOfEmployees yearEstablished",
        booleans="leadFlag unsubscribeFlag deletedFlag isVendorFlag",
        datetimes="dateAcquired dateDeleted",
        references="status country territory market defaultContact ownershipType timeZoneSetup taxCode billingTerms "
        "billingSite billingContact invoiceDeliveryMethod site",
        others=(
            *named("billToCompany", "parentCompany", "territoryManager"),
            Field("_info", "reference", parts=ENTERED),
            _TYPES,
            CUSTOM_FIELDS,
        ),
    ),
)

TICKET = Schema(
    kind="Ticket",
    path="/service/tickets",
    required=("summary", "company"),
    entry_stamp="info",
    hrefs=(
        ("activities_href", "/sales/activities?conditions=ticket/id={id}"),
        ("notes_href", "/service/tickets/{id}/notes"),
        ("timeentries_href", "/time/entries?conditions=chargeToId={id}"),
    ),
    fields=fields_of(
        texts="summary:100 recordType siteName:50 addressLine1:50 addressLine2:50 city:50 stateIdentifier:50 zip:12 "
        "contactName:62 contactPhoneNumber:20 contactPhoneExtension:15 contactEmailAddress:250 severity impact "
        "externalXRef:100 poNumber:50 automaticEmailCc:1000 closedBy slaStatus resources billTime billExpenses "
        "billProducts mobileGuid",
        numbers="id budgetHours actualHours estimatedExpenseCost estimatedExpenseRevenue estimatedProductCost "
        "estimatedProductRevenue estimatedTimeCost estimatedTimeRevenue resolveMinutes respondMinutes resPlanMinutes "
        "parentTicketId duration",
        booleans="allowAllClientsPortalView customerUpdatedFlag automaticEmailContactFlag automaticEmailResourceFlag "
        "automaticEmailCcFlag closedFlag approved isInSla hasChildTicket requestForChangeFlag",
        datetimes="requiredDate closedDate dateResolved dateResplan dateResponded estimatedStartDate",
        references="board status site country contact type subType item team serviceLocation source opportunity "
        "agreement mergedParentTicket location department sla",
        others=(
            *named("company", "owner"),
            Field("priority", "reference", parts=fields_of(texts="name level", numbers="id sort")),
            Field("_info", "reference", parts=ENTERED),
            CUSTOM_FIELDS,
        ),
    ),
)

TIME_ENTRY = Schema(
    kind="TimeEntry",
    path="/time/entries",
    required=("timeStart",),
    entry_stamp="record",
    read_only=("enteredBy", "dateEntered"),
    hrefs=(),
    fields=fields_of(
        texts="chargeToType billableOption notes internalNotes emailCc:1000 enteredBy mobileGuid status",
        numbers="id chargeToId locationId businessUnitId hoursDeduct actualHours hoursBilled hourlyRate",
        booleans="addToDetailDescriptionFlag addToInternalAnalysisFlag addToResolutionFlag emailResourceFlag "
        "emailContactFlag emailCcFlag",
        datetimes="timeStart timeEnd dateEntered",
        references="workType workRole agreement invoice timeSheet project phase",
        others=(
            *named("company", "member"),
            Field("ticket", "reference", parts=fields_of(texts="summary", numbers="id")),
            Field("_info", "reference", parts=SAVED),
            CUSTOM_FIELDS,
        ),
    ),
)

CALLBACK = Schema(
    kind="CallbackEntry",
    path="/system/callbacks",
    required=("url", "objectId", "type", "level"),
    entry_stamp="none",
    read_only=("memberId", "payloadVersion", "connectWiseID"),
    hrefs=(),
    fields=fields_of(
        texts="description:100 url type level payloadVersion connectWiseID",
        numbers="id objectId memberId",
        booleans="inactiveFlag isSoapCallbackFlag isSelfSuppressedFlag",
        others=(Field("_info", "reference", parts=SAVED),),
    ),
)
