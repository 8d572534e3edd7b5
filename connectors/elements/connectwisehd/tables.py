"""The fields of this hub's records: names as in ConnectWise's former SOAP API, each with where it lies in REST.

Data only. A path leads through references (`company.name`), `a|b` is the first of two that is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.element import Field, FieldType

EMAIL, PHONE, FAX = "Email", "Phone", "Fax"
ITEMS = "communicationItems"


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

    def fields(self) -> tuple[Field, ...]:
        """Every field, the id first. Of alternatives, conditions ask for the first: they have no words for "else"."""
        types: dict[str, FieldType] = {
            **dict.fromkeys(self.numbers, "number"),
            **dict.fromkeys(self.booleans, "boolean"),
            **dict.fromkeys(self.datetimes, "datetime"),
            **dict.fromkeys(self.milliseconds, "milliseconds"),
        }
        own = [
            Field(name=name, type=types.get(name, "text"), provider_name=_condition_name(path.partition("|")[0]))
            for name, path in self.paths().items()
        ]
        return (*own, *(Field(name=name) for name in self.communications))

    def child_fields(self) -> dict[str, tuple[str, str]]:
        return {
            name: (f'{ITEMS}/communicationType = "{kind}" and {ITEMS}/value {{test}}', ITEMS)
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
