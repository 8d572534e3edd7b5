"""Configurations: the machines and services that a company's tickets are about."""

from __future__ import annotations

from connectors.sandbox import catalogue
from connectors.sandbox.references import company_reference
from connectors.sandbox.schema import CUSTOM_FIELDS, ENTERED, Field, Record, Schema, fields_of, named
from connectors.sandbox.subject import Subject, Surroundings

CONFIGURATION = Schema(
    kind="Configuration",
    path="/company/configurations",
    required=("name", "type", "company"),
    entry_stamp="info",
    hrefs=(("documents_href", "/system/documents?recordType=Configuration&recordId={id}"),),
    fields=fields_of(
        texts="name:100 deviceIdentifier:100 serialNumber:250 modelNumber:50 tagNumber:50 vendorNotes notes "
        "macAddress:25 lastLoginName:100 mobileGuid ipAddress:50 defaultGateway:50 osType:250 osInfo:250 cpuSpeed:100 "
        "ram:25 localHardDrives manufacturerPartNumber:50 managementLink:1000 remoteLink:1000",
        numbers="id locationId businessUnitId parentConfigurationId",
        booleans="billFlag needsRenewalFlag activeFlag",
        datetimes="purchaseDate installationDate warrantyExpirationDate",
        references="type status contact site vendor manufacturer sla",
        others=(
            *named("company", "installedBy"),
            Field("_info", "reference", parts=ENTERED),
            Field("questions", "array", parts=fields_of(texts="question answer", numbers="answerId questionId")),
            CUSTOM_FIELDS,
        ),
    ),
)
_DEFAULTS: Record = {
    "status": catalogue.CONFIGURATION_STATUSES[1],
    "locationId": 2,
    "businessUnitId": 10,
    "billFlag": False,
    "needsRenewalFlag": False,
    "activeFlag": True,
    "questions": [],
}
_NAMES = ("LAPTOP", "SRV", "PRN", "SW", "Réception")


def _invent(record_id: int, surroundings: Surroundings) -> Record:
    name = f"{surroundings.pick(_NAMES)}-{record_id:03d}"
    record: Record = {
        "id": record_id,
        "name": name,
        "type": surroundings.entry_of(catalogue.CONFIGURATION_TYPES, "/company/configurations/types"),
        "status": surroundings.entry_of(catalogue.CONFIGURATION_STATUSES, "/company/configurations/statuses"),
        "locationId": 2,
        "businessUnitId": 10,
        "deviceIdentifier": f"DEV-{record_id:05d}",
        "serialNumber": f"5CG{surroundings.dice.randrange(10**6):06d}",
        "modelNumber": "E14 (2nd)",
        "purchaseDate": f"2021-0{record_id % 9 + 1}-15T00:00:00Z",
        "macAddress": "00-1B-44-11-3A-B7",
        "billFlag": record_id % 5 == 0,
        "mobileGuid": surroundings.guid(),
        "ipAddress": f"10.0.0.{record_id % 250 + 1}",
        "osType": "Windows 11 Pro",
        "manufacturer": surroundings.entry_of(catalogue.MANUFACTURERS, "/procurement/manufacturers"),
        "needsRenewalFlag": False,
        "activeFlag": True,
        "questions": [],
        "customFields": catalogue.custom_fields("Configuration", {}),
    }
    if (company := surroundings.one_of(surroundings.companies)) is not None:
        record["company"] = company_reference(company)
    return record


SUBJECT = Subject(schema=CONFIGURATION, defaults=_DEFAULTS, invent=_invent)
