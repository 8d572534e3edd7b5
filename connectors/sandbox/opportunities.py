"""Opportunities: what the company hopes to sell, to whom and until when."""

from __future__ import annotations

from connectors.sandbox import catalogue
from connectors.sandbox.clock import stamp
from connectors.sandbox.references import company_reference, contact_reference
from connectors.sandbox.schema import CUSTOM_FIELDS, ENTERED, Field, Record, Schema, fields_of, named
from connectors.sandbox.seeding import SEEDED_FROM
from connectors.sandbox.subject import Subject, Surroundings

OPPORTUNITY = Schema(
    kind="Opportunity",
    path="/sales/opportunities",
    required=("name", "primarySalesRep", "company", "contact"),
    required_on_update=("expectedCloseDate",),
    entry_stamp="info",
    hrefs=(
        ("activities_href", "/sales/activities?conditions=opportunity/id={id}"),
        ("notes_href", "/sales/opportunities/{id}/notes"),
    ),
    fields=fields_of(
        texts="name:100 source:50 customerPO:25 notes mobileGuid",
        numbers="id locationId businessUnitId totalSalesTax",
        datetimes="expectedCloseDate pipelineChangeDate dateBecameLead closedDate",
        references="type stage status priority probability rating contact site campaign billingTerms taxCode currency "
        "shipToContact shipToSite billToContact billToSite",
        others=(
            *named("primarySalesRep", "secondarySalesRep", "company", "closedBy", "shipToCompany", "billToCompany"),
            Field("_info", "reference", parts=ENTERED),
            CUSTOM_FIELDS,
        ),
    ),
)
_DEFAULTS: Record = {
    "type": catalogue.OPPORTUNITY_TYPES[1],
    "stage": catalogue.OPPORTUNITY_STAGES[1],
    "status": catalogue.OPPORTUNITY_STATUSES[1],
    "priority": catalogue.OPPORTUNITY_PRIORITIES[2],
    "probability": catalogue.PROBABILITIES[3],
    "rating": catalogue.RATINGS[2],
    "locationId": 2,
    "businessUnitId": 10,
    "totalSalesTax": 0.0,
}
_NAMES = ("Laptops for the new office", "Firewall & VPN renewal", "Cloud backup, 3 years", "Migration à la carte")


def _invent(record_id: int, surroundings: Surroundings) -> Record:
    close_date = SEEDED_FROM.replace(year=2024, month=record_id % 12 + 1, day=15, hour=0)
    record: Record = {
        "id": record_id,
        "name": f"{surroundings.pick(_NAMES)} #{record_id}",
        "expectedCloseDate": stamp(close_date),
        "type": surroundings.entry_of(catalogue.OPPORTUNITY_TYPES, "/sales/opportunities/types"),
        "stage": surroundings.entry_of(catalogue.OPPORTUNITY_STAGES, "/sales/stages"),
        "status": surroundings.entry_of(catalogue.OPPORTUNITY_STATUSES, "/sales/opportunities/statuses"),
        "priority": surroundings.entry_of(catalogue.OPPORTUNITY_PRIORITIES, "/sales/priorities"),
        "probability": surroundings.entry_of(catalogue.PROBABILITIES, "/sales/probabilities"),
        "source": surroundings.pick(("Referral", "Web", "Trade show")),
        "rating": surroundings.entry_of(catalogue.RATINGS, "/sales/opportunities/ratings"),
        "primarySalesRep": surroundings.entry_of(catalogue.MEMBERS, "/system/members"),
        "locationId": 2,
        "businessUnitId": 10,
        "totalSalesTax": 0.0,
        "mobileGuid": surroundings.guid(),
        "customFields": catalogue.custom_fields("Opportunity", {}),
    }
    if (company := surroundings.one_of(surroundings.companies)) is not None:
        record["company"] = company_reference(company)
    if (contact := surroundings.one_of(surroundings.contacts)) is not None:
        record["contact"] = contact_reference(contact)
    return record


SUBJECT = Subject(schema=OPPORTUNITY, defaults=_DEFAULTS, invent=_invent)
