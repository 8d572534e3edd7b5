"""Records as others refer to them."""

from __future__ import annotations

from connectors.sandbox.collection import HREF_BASE
from connectors.sandbox.schema import Record


def company_reference(company: Record) -> Record:
    return {
        "id": company["id"],
        "identifier": company["identifier"],
        "name": company["name"],
        "_info": {"company_href": f"{HREF_BASE}/company/companies/{company['id']}"},
    }


def ticket_reference(ticket: Record) -> Record:
    return {
        "id": ticket["id"],
        "summary": ticket.get("summary", ""),
        "_info": {"ticket_href": f"{HREF_BASE}/service/tickets/{ticket['id']}"},
    }


def contact_reference(contact: Record) -> Record:
    name = " ".join(filter(None, (contact.get("firstName"), contact.get("lastName"))))
    return {"id": contact["id"], "name": name, "_info": {}}
