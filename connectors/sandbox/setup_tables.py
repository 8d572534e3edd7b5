"""The set-up tables that the API shows: what references may name, as lists that are read and never written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.sandbox import catalogue
from connectors.sandbox.clock import SandboxClock, stamp
from connectors.sandbox.collection import HREF_BASE, Collection
from connectors.sandbox.schema import SAVED, Field, Record, Schema, fields_of

SAVED_AT = datetime(2021, 11, 5, 9, 30, tzinfo=UTC)
MEMBERS_PATH = "/system/members"
_NAMED = {"texts": "name", "numbers": "id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    kind: str
    path: str
    rows: Iterable[Record]
    fields: Mapping[str, Any]
    """As `fields_of` takes them."""
    parent_field: str = ""

    def schema(self) -> Schema:
        others = (*self.fields.get("others", ()), Field("_info", "reference", parts=SAVED))
        return Schema(
            kind=self.kind,
            path=self.path,
            required=(),
            entry_stamp="none",
            hrefs=(),
            fields=fields_of(**{**self.fields, "others": others}),
            parent_field=self.parent_field,
            is_table=True,
        )


def _communication_types() -> Iterable[Record]:
    kinds_seen: set[str] = set()
    for number, (name, kind) in catalogue.COMMUNICATION_TYPES.items():
        flags = {f"{one.lower()}Flag": one == kind for one in ("Phone", "Fax", "Email")}
        yield {"id": number, "description": name, **flags, "defaultFlag": kind not in kinds_seen}
        kinds_seen.add(kind)


def _boards() -> Iterable[Record]:
    for board in catalogue.BOARDS.values():
        yield {
            **board,
            "location": {**catalogue.LOCATIONS[2], "_info": {}},
            "projectFlag": False,
            "inactiveFlag": False,
        }


def _statuses() -> Iterable[Record]:
    for number, status in catalogue.STATUSES.items():
        board, place = divmod(number, 10)
        yield {
            **status,
            "boardId": board,
            "board": {**catalogue.BOARDS[board], "_info": {"board_href": f"{HREF_BASE}/service/boards/{board}"}},
            "sortOrder": place,
            "displayOnBoard": True,
            "inactive": False,
            "closedStatus": status["name"] in catalogue.CLOSED_STATUSES,
            "defaultFlag": place == 0,
        }


def _priorities() -> Iterable[Record]:
    colors = ("Red", "Orange", "Yellow", "White")
    for entry, color in zip(catalogue.PRIORITIES.values(), colors, strict=True):
        words = {"id": entry["id"], "name": entry["name"], "color": color, "sortOrder": entry["sort"]}
        yield {**words, "defaultFlag": entry["id"] == 3, "level": entry["level"]}


def _members() -> Iterable[Record]:
    for entry in catalogue.MEMBERS.values():
        first, _, last = entry["name"].partition(" ")
        is_api = entry["identifier"] == "SandboxApi"
        yield {
            "id": entry["id"],
            "identifier": entry["identifier"],
            "firstName": first,
            "lastName": last,
            "title": "Engineer",
            "officeEmail": f"{entry['identifier'].lower()}@acme.example",
            "officePhone": f"8135550{entry['id']}",
            "licenseClass": "A" if is_api else "F",
            "inactiveFlag": False,
            "adminFlag": entry["identifier"] == "jsmith",
            "timeZone": {"id": 1, "name": "US Eastern", "_info": {}},
            "securityRole": {"id": 63, "name": "Admin", "_info": {}},
            "hireDate": "2019-04-01T00:00:00Z",
        }


def _flagged(entries: Mapping[int, Record], **flags: Callable[[int], bool]) -> Iterable[Record]:
    return (
        {**entry, **{name: is_true(number) for name, is_true in flags.items()}} for number, entry in entries.items()
    )


def _tables() -> Iterable[_Table]:
    yield _Table(
        kind="CommunicationType",
        path="/company/communicationTypes",
        rows=_communication_types(),
        fields={"texts": "description", "numbers": "id", "booleans": "phoneFlag faxFlag emailFlag defaultFlag"},
    )
    yield _Table(
        kind="Board",
        path="/service/boards",
        rows=_boards(),
        fields={**_NAMED, "booleans": "projectFlag inactiveFlag", "references": "location department"},
    )
    yield _Table(
        kind="BoardStatus",
        path="/service/boards/{parent}/statuses",
        parent_field="boardId",
        rows=_statuses(),
        fields={
            "texts": "name",
            "numbers": "id boardId sortOrder",
            "booleans": "displayOnBoard inactive closedStatus defaultFlag",
            "references": "board",
        },
    )
    yield _Table(
        kind="Priority",
        path="/service/priorities",
        rows=_priorities(),
        fields={"texts": "name color level", "numbers": "id sortOrder", "booleans": "defaultFlag"},
    )
    yield _Table(
        kind="Member",
        path=MEMBERS_PATH,
        rows=_members(),
        fields={
            "texts": "identifier firstName lastName title officeEmail officePhone licenseClass",
            "numbers": "id",
            "booleans": "inactiveFlag adminFlag",
            "datetimes": "hireDate lastLogin",
            "references": "timeZone securityRole",
        },
    )
    yield _Table(
        kind="CompanyStatus",
        path="/company/companies/statuses",
        rows=_flagged(catalogue.COMPANY_STATUSES, defaultFlag=lambda number: number == 1, inactiveFlag=lambda _: False),
        fields={**_NAMED, "booleans": "defaultFlag inactiveFlag"},
    )
    yield _Table(
        kind="WorkType",
        path="/time/workTypes",
        rows=_flagged(
            catalogue.WORK_TYPES, overallDefaultFlag=lambda number: number == 1, inactiveFlag=lambda _: False
        ),
        fields={**_NAMED, "booleans": "overallDefaultFlag inactiveFlag"},
    )
    yield _Table(
        kind="ScheduleType",
        path="/schedule/types",
        rows=catalogue.SCHEDULE_TYPES.values(),
        fields={"texts": "identifier name", "numbers": "id"},
    )
    for kind, path, entries in _PLAIN:
        yield _Table(kind=kind, path=path, rows=entries.values(), fields=_NAMED)


_PLAIN = (
    ("MarketDescription", "/company/marketDescriptions", catalogue.MARKETS),
    ("CompanyType", "/company/companies/types", catalogue.COMPANY_TYPES),
    ("Country", "/company/countries", catalogue.COUNTRIES),
    ("ConfigurationType", "/company/configurations/types", catalogue.CONFIGURATION_TYPES),
    ("ConfigurationStatus", "/company/configurations/statuses", catalogue.CONFIGURATION_STATUSES),
    ("Manufacturer", "/procurement/manufacturers", catalogue.MANUFACTURERS),
    ("OpportunityType", "/sales/opportunities/types", catalogue.OPPORTUNITY_TYPES),
    ("OpportunityStatus", "/sales/opportunities/statuses", catalogue.OPPORTUNITY_STATUSES),
    ("OpportunityRating", "/sales/opportunities/ratings", catalogue.RATINGS),
    ("OpportunityStage", "/sales/stages", catalogue.OPPORTUNITY_STAGES),
    ("Probability", "/sales/probabilities", catalogue.PROBABILITIES),
)
_TABLES = tuple(
    (
        table.schema(),
        tuple({**row, "_info": {"lastUpdated": stamp(SAVED_AT), "updatedBy": "zadmin"}} for row in table.rows),
    )
    for table in _tables()
)
"""Made once: a sandbox is started many times in one process, and rows are never changed in place."""


def set_up(*, clock: SandboxClock, lock: threading.RLock) -> dict[str, Collection]:
    """Each table as a collection, by its path. Tests may change them by hand; references do not follow."""
    found: dict[str, Collection] = {}
    for schema, rows in _TABLES:
        collection = Collection(schema, clock=clock, lock=lock, invent=lambda record_id: {"id": record_id})
        collection.load((row, SAVED_AT) for row in rows)
        found[schema.path] = collection
    return found
