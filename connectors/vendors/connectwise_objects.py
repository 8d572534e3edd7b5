"""Collections of ConnectWise that are passed through as they are, by the name that the hub gives them. Data only.

What this table has not is still read by its path: `service/boards/1/statuses`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

VENDOR_OBJECTS: Mapping[str, str] = MappingProxyType(
    {
        # Service desk
        "boards": "/service/boards",
        "email-templates": "/service/emailTemplates",
        "impacts": "/service/impacts",
        "knowledge-base-articles": "/service/knowledgeBaseArticles",
        "priorities": "/service/priorities",
        "service-codes": "/service/codes",
        "service-locations": "/service/locations",
        "severities": "/service/severities",
        "slas": "/service/SLAs",
        "sources": "/service/sources",
        "surveys": "/service/surveys",
        # Companies and contacts
        "address-formats": "/company/addressFormats",
        "communication-types": "/company/communicationTypes",
        "note-types": "/company/noteTypes",
        "company-statuses": "/company/companies/statuses",
        "company-types": "/company/companies/types",
        "configuration-statuses": "/company/configurations/statuses",
        "configuration-types": "/company/configurations/types",
        "contact-departments": "/company/contacts/departments",
        "contact-relationships": "/company/contacts/relationships",
        "contact-types": "/company/contacts/types",
        "countries": "/company/countries",
        "markets": "/company/marketDescriptions",
        "ownership-types": "/company/ownershipTypes",
        "states": "/company/states",
        "tracks": "/company/tracks",
        # Sales
        "activities": "/sales/activities",
        "activity-statuses": "/sales/activities/statuses",
        "activity-types": "/sales/activities/types",
        "opportunity-ratings": "/sales/opportunities/ratings",
        "opportunity-stages": "/sales/stages",
        "opportunity-statuses": "/sales/opportunities/statuses",
        "opportunity-types": "/sales/opportunities/types",
        "orders": "/sales/orders",
        "order-statuses": "/sales/orders/statuses",
        "probabilities": "/sales/probabilities",
        "sales-roles": "/sales/roles",
        # Finance
        "agreements": "/finance/agreements",
        "agreement-types": "/finance/agreements/types",
        "billing-cycles": "/finance/billingCycles",
        "billing-statuses": "/finance/billingStatuses",
        "billing-terms": "/finance/billingTerms",
        "currencies": "/finance/currencies",
        "invoices": "/finance/invoices",
        "tax-codes": "/finance/taxCodes",
        # Projects
        "projects": "/project/projects",
        "project-statuses": "/project/statuses",
        "project-tickets": "/project/tickets",
        "project-types": "/project/projectTypes",
        # Procurement
        "catalog-items": "/procurement/catalog",
        "manufacturers": "/procurement/manufacturers",
        "product-categories": "/procurement/categories",
        "products": "/procurement/products",
        "purchase-orders": "/procurement/purchaseOrders",
        "shipment-methods": "/procurement/shipmentMethods",
        "unit-of-measures": "/procurement/unitOfMeasures",
        "warehouses": "/procurement/warehouses",
        # Schedules, time and expenses
        "schedule-entries": "/schedule/entries",
        "schedule-statuses": "/schedule/statuses",
        "schedule-types": "/schedule/types",
        "calendars": "/schedule/calendars",
        "holiday-lists": "/schedule/holidayLists",
        "charge-codes": "/time/chargeCodes",
        "time-sheets": "/time/sheets",
        "work-roles": "/time/workRoles",
        "work-types": "/time/workTypes",
        "expense-entries": "/expense/entries",
        "expense-types": "/expense/types",
        # The system
        "departments": "/system/departments",
        "documents": "/system/documents",
        "locations": "/system/locations",
        "members": "/system/members",
        "security-roles": "/system/securityRoles",
        "time-zones": "/system/timeZoneSetups",
        "user-defined-fields": "/system/userDefinedFields",
    }
)
