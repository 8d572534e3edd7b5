"""Registrations of callbacks: which types and levels there are, what is refused, and whom a change concerns."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.sandbox import catalogue
from connectors.sandbox.collection import API_MEMBER
from connectors.sandbox.refusals import Problem
from connectors.sandbox.schema import Record

LEVELS: Mapping[str, frozenset[str]] = {
    name: frozenset(levels.split())
    for name, levels in {
        "activity": "owner status type company activity",
        "agreement": "owner type company agreement",
        "company": "owner status type territory company integratortag",
        "contact": "owner type territory company contact",
        "configuration": "owner type status configuration",
        "invoice": "owner status company invoice",
        "expense": "owner chargetotype type class company expense",
        "member": "owner location securityrole member",
        "opportunity": "owner statusid company opportunity",
        "productcatalog": "owner",
        "project": "owner status board project",
        "purchaseorder": "owner status vendor company purchaseorder",
        "schedule": "owner status type location member schedule",
        "site": "owner territory company site",
        "ticket": "owner board project phase status ticket integratortag",
        "time": "owner company time",
    }.items()
}
"""By type. Both are taken in any letter case."""

RESOURCE = "callbackEntry"
OWNER_ID = next(number for number, member in catalogue.MEMBERS.items() if member["identifier"] == API_MEMBER)


def defaults() -> Record:
    """What the server fills in by itself."""
    return {
        "memberId": OWNER_ID,
        "payloadVersion": "3.0.0",
        "inactiveFlag": False,
        "isSoapCallbackFlag": False,
        "isSelfSuppressedFlag": False,
        "connectWiseID": str(uuid.uuid4()),
    }


def invented(record_id: int) -> Record:
    """One for everything about tickets, for those that are made by hand."""
    url = "http://127.0.0.1:9/callbacks?recordId="
    return {"id": record_id, "url": url, "objectId": 1, "type": "ticket", "level": "owner", **defaults()}


def problems_of(registration: Record, *, others: Iterable[Record]) -> list[Problem]:
    """Why a registration that has all its fields is refused."""
    found: list[Problem] = []
    type_, level = _lower(registration["type"]), _lower(registration["level"])
    if not _is_url(registration["url"]):
        found.append(_problem("InvalidField", "Invalid URL", "url"))
    if type_ not in LEVELS:
        found.append(_problem("InvalidObject", f"The type {registration['type']} is not valid", "type"))
    elif level not in LEVELS[type_]:
        message = f"The level {registration['level']} is not valid for the type {registration['type']}"
        found.append(_problem("InvalidObject", message, "level"))
    if not isinstance(registration["objectId"], int) or registration["objectId"] < 0:
        found.append(_problem("InvalidField", "The field objectId must be a whole number.", "objectId"))
    if not found and any(_identity(other) == _identity(registration) for other in others):
        found.append(_problem("ObjectExists", "A matching callback entry already exists", "objectId"))
    return found


def settle(registration: Record) -> None:
    """At level owner the object is 1, whoever says 0."""
    if _lower(registration.get("level")) == "owner" and registration.get("objectId") == 0:
        registration["objectId"] = 1


def concerns(registration: Record, *, type_: str, record: Record) -> bool:
    """Whether a record of this type lies within the registration's level."""
    level, wanted = _lower(registration.get("level")), registration.get("objectId")
    if _lower(registration.get("type")) != type_:
        return False
    if level == "owner":
        return True
    if level == type_:
        return bool(record["id"] == wanted)
    name = level.removesuffix("id")  # of opportunities the level is called StatusId
    reference, several = record.get(name), record.get(f"{name}s")
    named = [reference, *(several if isinstance(several, list) else [])]
    return wanted is not None and any(isinstance(one, dict) and one.get("id") == wanted for one in named)


def called_url(url: str, *, record_id: int, action: str) -> str:
    """The registered URL with the record and the action glued to its end, whatever that does to its last parameter."""
    # Where the query is missing but the URL ends in "=", as the provider's own advice has it, nothing is documented.
    glue = "" if "?" in url or url.endswith("=") else "?"
    return f"{url}{glue}{record_id}&action={action}"


def _identity(registration: Record) -> tuple[Any, ...]:
    return (
        _lower(registration.get("type")),
        _lower(registration.get("level")),
        registration.get("objectId"),
        registration.get("url"),
    )


def _lower(value: Any) -> str:
    return value.lower() if isinstance(value, str) else ""


def _is_url(text: str) -> bool:
    if any(character.isspace() or not character.isprintable() for character in text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _problem(code: str, message: str, field: str) -> Problem:
    return Problem(code=code, message=message, resource=RESOURCE, field=field)
