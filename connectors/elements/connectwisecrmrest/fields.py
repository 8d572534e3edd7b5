"""The fields of this hub's records, as ConnectWise calls them (model version 2025.1). Data only.

`name:30` is a text of at most 30 characters. Records may have more fields than these.
"""

from __future__ import annotations

from connectors.element import Field, FieldType

_EVERYWHERE_READ_ONLY = "id _info lastUpdated _info.lastUpdated _info.updatedBy"
_ENTERED = "dateEntered _info.dateEntered _info.enteredBy"
_USER_DEFINED = " ".join(f"userDefinedField{number}:50" for number in range(1, 11))


def _fields(
    *,
    texts: str = "",
    numbers: str = "",
    booleans: str = "",
    datetimes: str = "",
    references: str = "",
    lists: str = "",
    required: str = "",
    read_only: str = "",
) -> tuple[Field, ...]:
    """The id first, then by type. Of what a reference names, the id can be asked for: `company.id`."""
    given: dict[str, FieldType] = {"id": "number"}
    longest: dict[str, int] = {}
    for text in texts.split():
        name, _, most = text.partition(":")
        given[name] = "text"
        if most:
            longest[name] = int(most)
    given |= dict.fromkeys(numbers.split(), "number")
    given |= dict.fromkeys(booleans.split(), "boolean")
    given |= dict.fromkeys(datetimes.split(), "datetime")
    for name in references.split():
        given |= {name: "reference", f"{name}.id": "number"}
    given |= dict.fromkeys(lists.split(), "list")
    # Queries know the stamp by both names; records have it inside of `_info`.
    given |= {"_info": "reference", "_info.updatedBy": "text"}
    given |= dict.fromkeys(("lastUpdated", "_info.lastUpdated"), "datetime")
    wanted, closed = set(required.split()), {*_EVERYWHERE_READ_ONLY.split(), *read_only.split()} - {*required.split()}
    return tuple(
        Field(
            name=name,
            type=field_type,
            is_required=name in wanted,
            is_read_only=name in closed,
            longest=longest.get(name),
        )
        for name, field_type in given.items()
    )


CONTACTS = _fields(
    # The last three are items of `communicationItems`, taken as fields: the default one of each kind.
    texts="firstName:30 lastName:30 title:100 addressLine1:50 addressLine2:50 city:50 state:50 zip:12 nickName:30 "
    "school:50 gender presence facebookUrl:1000 twitterUrl:1000 linkedInUrl:1000 mobileGuid defaultPhoneType "
    f"defaultPhoneNbr defaultPhoneExtension {_USER_DEFINED} email phone fax",
    numbers="portalSecurityLevel defaultMergeContactId",
    booleans="ignoreDuplicates inactiveFlag marriedFlag childrenFlag disablePortalLoginFlag unsubscribeFlag "
    "defaultBillingFlag defaultFlag",
    datetimes="birthDay anniversary",
    references="company site country relationship department managerContact assistantContact companyLocation photo",
    lists="communicationItems types typeIds customFields integratorTags",
    required="firstName",
    read_only="mobileGuid defaultPhoneType defaultPhoneNbr defaultPhoneExtension",
)

ORGANIZATIONS = _fields(
    texts="identifier:30 name:50 addressLine1:50 addressLine2:50 city:50 state:50 zip:12 phoneNumber:30 faxNumber:30 "
    "website:255 accountNumber:100 leadSource:50 taxIdentifier invoiceToEmailAddress deletedBy mobileGuid "
    f"{_USER_DEFINED} _info.enteredBy",
    numbers="annualRevenue numberOfEmployees yearEstablished revenueYear",
    booleans="deletedFlag leadFlag unsubscribeFlag isVendorFlag",
    datetimes="dateEntered _info.dateEntered dateAcquired dateDeleted",
    references="status country territory market defaultContact ownershipType timeZoneSetup taxCode billingTerms "
    "billToCompany billingSite billingContact invoiceDeliveryMethod site parentCompany territoryManager",
    lists="types customFields integratorTags",
    required="identifier name",
    read_only=f"{_ENTERED} mobileGuid",
)

INCIDENTS = _fields(
    # The first three are taken when a ticket is created, and never given back: they become notes.
    texts="initialDescription initialInternalAnalysis initialResolution summary:100 recordType siteName:50 "
    "addressLine1:50 addressLine2:50 city:50 stateIdentifier:50 zip:12 contactName:62 contactPhoneNumber:20 "
    "contactPhoneExtension:15 contactEmailAddress:250 severity impact externalXRef:100 poNumber:50 "
    "automaticEmailCc:1000 closedBy slaStatus resources billTime billExpenses billProducts mobileGuid "
    "_info.enteredBy",
    numbers="budgetHours actualHours estimatedExpenseCost estimatedExpenseRevenue estimatedProductCost "
    "estimatedProductRevenue estimatedTimeCost estimatedTimeRevenue resolveMinutes respondMinutes resPlanMinutes "
    "parentTicketId duration knowledgeBaseCategoryId knowledgeBaseSubCategoryId knowledgeBaseLinkId "
    "minutesBeforeWaiting minutesWaiting locationId businessUnitId priority.sort",
    booleans="approved closedFlag customerUpdatedFlag allowAllClientsPortalView automaticEmailContactFlag "
    "automaticEmailResourceFlag automaticEmailCcFlag isInSla hasChildTicket hasMergedChildTicketFlag "
    "requestForChangeFlag",
    datetimes="dateEntered _info.dateEntered requiredDate closedDate dateResolved dateResplan dateResponded "
    "estimatedStartDate",
    references="board status company site country contact type subType item team owner priority serviceLocation "
    "source opportunity agreement mergedParentTicket location department sla",
    lists="customFields integratorTags",
    required="summary company",
    read_only=f"{_ENTERED} mobileGuid closedDate closedBy actualHours dateResolved dateResplan dateResponded "
    "resolveMinutes respondMinutes resPlanMinutes isInSla slaStatus hasChildTicket hasMergedChildTicketFlag "
    "mergedParentTicket",
)

COMMENTS = _fields(
    texts="text createdBy",
    numbers="ticketId sentimentScore",
    booleans="detailDescriptionFlag internalAnalysisFlag resolutionFlag issueFlag customerUpdatedFlag "
    "processNotifications internalFlag externalFlag",
    datetimes="dateCreated",
    references="member contact",
    required="text",
    # The ticket is the one whose comments these are, whatever a body says.
    read_only="ticketId createdBy dateCreated sentimentScore",
)

TIME_ENTRIES = _fields(
    texts="chargeToType billableOption notes internalNotes emailCc:1000 enteredBy mobileGuid status",
    numbers="chargeToId locationId businessUnitId hoursDeduct actualHours hoursBilled hourlyRate",
    booleans="addToDetailDescriptionFlag addToInternalAnalysisFlag addToResolutionFlag emailResourceFlag "
    "emailContactFlag emailCcFlag",
    datetimes="timeStart timeEnd dateEntered",
    references="company member workType workRole agreement invoice timeSheet ticket project phase",
    lists="customFields",
    required="timeStart",
    read_only="enteredBy dateEntered mobileGuid invoice timeSheet ticket hoursBilled",
)

CONFIGURATIONS = _fields(
    texts="name:100 deviceIdentifier:100 serialNumber:250 modelNumber:50 tagNumber:50 vendorNotes notes macAddress:25 "
    "lastLoginName:100 mobileGuid ipAddress:50 defaultGateway:50 osType:250 osInfo:250 cpuSpeed:100 ram:25 "
    "localHardDrives manufacturerPartNumber:50 managementLink:1000 remoteLink:1000",
    numbers="locationId businessUnitId parentConfigurationId",
    booleans="billFlag needsRenewalFlag activeFlag",
    datetimes="purchaseDate installationDate warrantyExpirationDate",
    references="type status company contact site installedBy vendor manufacturer sla",
    lists="questions customFields",
    required="name type company",
    read_only="mobileGuid",
)

# What ConnectWise lists for a ticket are references.
ATTACHED_CONFIGURATIONS = (
    Field(name="id", type="number", is_required=True),
    Field(name="deviceIdentifier", is_read_only=True),
    Field(name="_info", type="reference", is_read_only=True),
)

OPPORTUNITIES = _fields(
    texts="name:100 source:50 customerPO:25 notes",
    numbers="locationId businessUnitId totalSalesTax",
    datetimes="expectedCloseDate pipelineChangeDate dateBecameLead closedDate",
    references="type stage status priority probability rating primarySalesRep secondarySalesRep company contact site "
    "closedBy campaign shipToCompany shipToContact shipToSite billToCompany billToContact billToSite billingTerms "
    "taxCode currency",
    lists="customFields",
    required="name primarySalesRep company contact",
    read_only="totalSalesTax closedDate closedBy pipelineChangeDate",
)

# ConnectWise's user-defined fields.
USER_DEFINED_FIELDS = _fields(
    texts="caption:50 screenId helpText fieldTypeIdentifier entryTypeIdentifier connectWiseId",
    numbers="podId sequenceNumber numberDecimals",
    booleans="requiredFlag readOnlyFlag listViewFlag addToDetailFlag",
    datetimes="dateCreated",
    required="podId fieldTypeIdentifier sequenceNumber caption",
    read_only="connectWiseId dateCreated",
)

# Entries of the schedule. A client sends the member alone.
MEMBERS = _fields(
    texts="name:250 type.identifier member.identifier",
    numbers="objectId",
    booleans="doneFlag acknowledgedFlag",
    datetimes="dateStart dateEnd",
    references="member type status",
    required="member",
    read_only="objectId type type.id type.identifier",
)
