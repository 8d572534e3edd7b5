"""What the server fills in when a POST or a PUT does not say it."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sandbox import catalogue
from connectors.sandbox.schema import Record

DEFAULTS: Mapping[str, Record] = {
    "Contact": {
        "inactiveFlag": False,
        "marriedFlag": False,
        "childrenFlag": False,
        "portalSecurityLevel": 1,
        "disablePortalLoginFlag": True,
        "unsubscribeFlag": False,
        "defaultBillingFlag": False,
        "defaultFlag": False,
        "communicationItems": [],
        "types": [],
        "ignoreDuplicates": False,
    },
    "Company": {
        "status": catalogue.COMPANY_STATUSES[1],
        "leadFlag": False,
        "unsubscribeFlag": False,
        "deletedFlag": False,
        "isVendorFlag": False,
        "types": [],
    },
    "Ticket": {
        "recordType": "ServiceTicket",
        "board": catalogue.BOARDS[1],
        "priority": catalogue.PRIORITIES[3],
        "severity": "Medium",
        "impact": "Medium",
        "actualHours": 0.0,
        "approved": True,
        "isInSla": False,
        "hasChildTicket": False,
        "requestForChangeFlag": False,
    },
    "TimeEntry": {
        "member": catalogue.MEMBERS[104],
        "locationId": 2,
        "businessUnitId": 10,
        "workType": catalogue.WORK_TYPES[1],
        "hoursDeduct": 0.0,
        "billableOption": "Billable",
        "addToDetailDescriptionFlag": False,
        "addToInternalAnalysisFlag": False,
        "addToResolutionFlag": False,
        "emailResourceFlag": False,
        "emailContactFlag": False,
        "emailCcFlag": False,
        "status": "Open",
    },
}
"""By kind."""
