"""The fields of this hub's records: names as in ConnectWise's former SOAP API, each with where it lies in REST."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.elements.connectwisehd.table import EMAIL, FAX, PHONE, Table, longest, names, same

_USER_DEFINED = " ".join(f"userDefinedField{number}" for number in range(1, 11))

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
        **same("firstName lastName nickName title school gender"),
        "companyIdentifier": "company.identifier",
        "companyName": "company.name",
        "siteName": "site.name",
        **same("addressLine1 addressLine2 city state zip"),
        "country": "country.name",
        "relationship": "relationship.name",
        "department": "department.name",
        "managerContactName": "managerContact.name",
        "assistantContactName": "assistantContact.name",
        "location": "companyLocation.name",
        "phoneExtension": "defaultPhoneExtension",
        **same("presence facebookUrl twitterUrl linkedInUrl"),
        **same(_USER_DEFINED),
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
    datetimes={**same("birthDay anniversary"), "lastUpdated": "_info.lastUpdated"},
    communications={"email": (EMAIL, ""), "phone": (PHONE, "defaultPhoneNbr"), "fax": (FAX, "")},
    required=names("firstName"),
    # The extension is a copy of the default phone item's.
    read_only=names("id phoneExtension lastUpdated updatedBy"),
    longest=longest(
        {
            12: "zip",
            30: "firstName lastName nickName",
            50: f"addressLine1 addressLine2 city state school {_USER_DEFINED}",
            100: "title",
        }
    ),
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
        **same("annualRevenue numberOfEmployees yearEstablished"),
    },
    texts={
        "companyName": "name",
        "companyIdentifier": "identifier",
        "statusName": "status.name",
        **same("phoneNumber faxNumber website"),
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
        **same("leadSource taxIdentifier invoiceToEmailAddress deletedBy"),
        **same(_USER_DEFINED),
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
        **same("dateAcquired dateDeleted"),
        "dateEntered": "_info.dateEntered",
        "lastUpdated": "_info.lastUpdated",
    },
    required=names("companyName companyIdentifier"),
    read_only=names("id dateDeleted deletedBy dateEntered enteredBy lastUpdated updatedBy"),
    longest=longest(
        {
            12: "defaultAddress.zip",
            30: "companyIdentifier phoneNumber faxNumber",
            50: "companyName leadSource defaultAddress.addressLine1 defaultAddress.addressLine2 defaultAddress.city "
            f"defaultAddress.state {_USER_DEFINED}",
            255: "website",
        }
    ),
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
        **same("parentTicketId budgetHours actualHours duration resolveMinutes respondMinutes resPlanMinutes"),
    },
    texts={
        **same("summary recordType"),
        "board": "board.name",
        "statusName": "status.name",
        "companyIdentifier": "company.identifier",
        "companyName": "company.name",
        "siteName": "siteName|site.name",
        **same("addressLine1 addressLine2 city"),
        "state": "stateIdentifier",
        "zip": "zip",
        "country": "country.name",
        "contactName": "contactName|contact.name",
        **same("contactPhoneNumber contactPhoneExtension contactEmailAddress"),
        "serviceType": "type.name",
        "serviceSubType": "subType.name",
        "serviceItem": "item.name",
        "team": "team.name",
        "owner": "owner.identifier",
        "ownerName": "owner.name",
        "resources": "resources",
        "priority": "priority.name",
        **same("severity impact"),
        "source": "source.name",
        "serviceLocation": "serviceLocation.name",
        "location": "location.name",
        "department": "department.name",
        "agreement": "agreement.name",
        "sla": "sla.name",
        **same("slaStatus externalXRef poNumber automaticEmailCc billTime billExpenses billProducts closedBy"),
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
        **same("isInSla hasChildTicket"),
    },
    datetimes={
        **same("requiredDate closedDate dateResolved dateResplan dateResponded estimatedStartDate"),
        "dateEntered": "_info.dateEntered",
        "lastUpdated": "_info.lastUpdated",
    },
    required=names("summary companyIdentifier"),
    read_only=names(
        "id recordType actualHours closedDate closedBy dateResolved dateResplan dateResponded resolveMinutes "
        "respondMinutes resPlanMinutes isInSla slaStatus hasChildTicket mergedParentTicketId dateEntered enteredBy "
        "lastUpdated updatedBy"
    ),
    longest=longest(
        {
            12: "zip",
            15: "contactPhoneExtension",
            20: "contactPhoneNumber",
            50: "siteName addressLine1 addressLine2 city state poNumber",
            62: "contactName",
            100: "summary externalXRef",
            250: "contactEmailAddress",
            1000: "automaticEmailCc",
        }
    ),
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
        **same("hoursDeduct hoursBilled hourlyRate locationId businessUnitId"),
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
        **same("billableOption notes internalNotes status emailCc"),
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
    written_as={"ticketId": "ServiceTicket"},
    required=names("dateStart"),
    read_only=names(
        "id projectId phaseId invoiceId timeSheetId hoursBilled status dateEntered enteredBy lastUpdated updatedBy"
    ),
    longest=longest({1000: "emailCc"}),
)

COMMENTS = Table(
    numbers=same("id ticketId"),
    texts={"noteText": "text", "createdBy": "createdBy", "updatedBy": "_info.updatedBy"},
    booleans={
        "isPartOfDetailDescription": "detailDescriptionFlag",
        "isPartOfInternalAnalysis": "internalAnalysisFlag",
        "isPartOfResolution": "resolutionFlag",
        "isExternalNote": "externalFlag",
    },
    datetimes={"dateCreated": "dateCreated", "lastUpdated": "_info.lastUpdated"},
    required=names("noteText"),
    # Which ticket it is says the path.
    read_only=names("id ticketId createdBy dateCreated lastUpdated updatedBy"),
)

TABLES: Mapping[str, Table] = {
    "contacts": CONTACTS,
    "organizations": ORGANIZATIONS,
    "incidents": INCIDENTS,
    "time-entries": TIME_ENTRIES,
    "incidents/comments": COMMENTS,
}
"""By the key of the resource."""
