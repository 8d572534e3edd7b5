"""Bodies of POST, PUT and PATCH: what is taken, what is filled in, and what is refused."""

from __future__ import annotations

import copy
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sandbox import catalogue, registering
from connectors.sandbox.answers import is_id
from connectors.sandbox.charging import finish_time_entry
from connectors.sandbox.clock import parse_stamp, stamp
from connectors.sandbox.collection import Collection
from connectors.sandbox.communications import finish_contact
from connectors.sandbox.defaults import DEFAULTS
from connectors.sandbox.referring import NotReferable, referred
from connectors.sandbox.refusals import Problem, bad_request, encode, invalid_object
from connectors.sandbox.schema import Field, Record, Schema
from connectors.sandbox.subject import Subject, Surroundings, resource_of

GREATEST_NUMBER = 10**15
_TYPE_NAMES = {"text": "String", "number": "Number", "boolean": "Boolean", "datetime": "DateTime"}


class Writer:
    """Turns bodies into whole records of one collection. Every refusal is a 400 with its problems."""

    def __init__(self, collection: Collection, *, surroundings: Surroundings, subject: Subject | None = None) -> None:
        """`subject`: its rules, where this module does not know them."""
        self._collection = collection
        self._schema: Schema = collection.schema
        self._surroundings, self._subject = surroundings, subject

    def new(self, body: Record, *, record_id: int, given: Mapping[str, Any] | None = None) -> Record:
        """A whole record from what was sent and defaults, as POST makes it (and PUT, which keeps no old value).

        `given` is what neither says: the id of the record that this one belongs to.
        """
        record: Record = {"id": record_id, **(given or {}), **self._defaults()}
        self._lay_over(record, body)
        return self._finished(record)

    def _defaults(self) -> Record:
        if self._schema.kind == "CallbackEntry":
            return registering.defaults()
        found = copy.deepcopy(self._subject.defaults if self._subject else DEFAULTS[self._schema.kind])
        if "mobileguid" in self._schema.fields:
            found["mobileGuid"] = str(uuid.uuid4())
        if "customfields" in self._schema.fields:
            found["customFields"] = catalogue.custom_fields(self._schema.kind, {})
        return found

    def replaced(self, record: Record, body: Record) -> Record:
        """PUT: what was not sent is gone, except who entered the record and when."""
        if self._schema.kind == "Contact" and body.get("communicationItems"):
            message = "The communicationItems of a contact cannot be replaced by PUT."
            raise self._invalid(Problem(code="InvalidField", message=message, **self._at("communicationItems")))
        kept = {name: record[name] for name in ("_info", *self._schema.read_only) if name in record}
        replacement = {**self.new(body, record_id=record["id"]), **kept}
        self._require(replacement, self._schema.required_on_update)
        return replacement

    def patched(self, record: Record, operations: Any) -> Record:
        """PATCH: an array of operations, also for a single one."""
        if not isinstance(operations, list):
            raise bad_request("The body of a PATCH must be an array of operations.")
        before = copy.deepcopy(record)
        for operation in operations:
            if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
                raise bad_request("Each operation must be an object with op, path and value.")
            self._operate(record, str(operation.get("op")), operation["path"], operation.get("value"))
        self._require(record, (*self._schema.required, *self._schema.required_on_update))
        return self._finished(record, before=before)

    def _operate(self, record: Record, op: str, path: str, value: Any) -> None:
        if op not in ("add", "replace", "remove"):
            raise bad_request(f"The operation '{op}' is not one of add, replace and remove.")
        name, *rest = path.removeprefix("/").split("/")
        found = self._schema.fields.get(name.lower())
        if found is None or found.name != name or not self._schema.is_writable(name):  # paths are case-sensitive
            raise self._invalid(
                Problem(code="InvalidField", message=f"The path '{path}' is not valid.", **self._at(name))
            )
        if rest and found.type == "array":
            _operate_in_array(record.setdefault(name, []), op, rest, value, path)
        elif rest:
            return  # a path into a reference is answered 200 and changes nothing
        elif op == "remove":
            record.pop(name, None)
        else:
            self._lay_over(record, {name: value})

    def _lay_over(self, record: Record, body: Record) -> None:
        """Known fields of the body, checked; null takes a field away, unknown and read-only ones are passed over."""
        problems: list[Problem] = []
        for found in self._schema.writable():
            if found.name not in body:
                continue
            value = body[found.name]
            if value is None or value == {}:
                record.pop(found.name, None)
            elif found.name == "customFields":
                _lay_over_custom_fields(record, value)
            else:
                try:
                    record[found.name] = self._checked(found, value)
                except _Refused as refused:
                    problems.append(refused.problem)
        if problems:
            raise self._invalid(*problems)

    def _checked(self, found: Field, value: Any) -> Any:
        if found.type == "array":
            if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
                raise self._mismatch(found, "Array")
            return copy.deepcopy(value)
        if found.type == "reference":
            if not isinstance(value, dict):
                raise self._mismatch(found, "Reference")
            try:
                return referred(self._schema, found.name, value, self._surroundings)
            except NotReferable as refused:
                raise _Refused(
                    Problem(code="NotFound", message=str(refused), resource=self._resource, field=refused.field)
                ) from refused
        value = _scalar(found, value)
        if value is None:
            raise self._mismatch(found, _TYPE_NAMES[found.type])
        if found.longest is not None and len(value) > found.longest:
            message = f"The field {found.name} must be a string with a maximum length of {found.longest}."
            raise _Refused(Problem(code="MaxLengthField", message=message, **self._at(found.name)))
        return value

    def _finished(self, record: Record, *, before: Record | None = None) -> Record:
        """What the server fills in by itself, and the rules that need the whole record."""
        self._require(record, self._schema.required)
        if self._subject is not None:
            if self._subject.finish is not None:
                self._subject.finish(record, self._surroundings)
            return record
        if self._schema.kind == "Contact":
            finish_contact(record, before or {})
        elif self._schema.kind == "Company":
            self._finish_company(record)
        elif self._schema.kind == "Ticket":
            self._finish_ticket(record)
        elif self._schema.kind == "TimeEntry":
            finish_time_entry(record, tickets=self._surroundings.tickets)
        else:
            self._finish_registration(record)
        return record

    def _require(self, record: Record, names: Sequence[str]) -> None:
        problems = [
            Problem(code="MissingRequiredField", message=f"The {name} field is required.", **self._at(name))
            for name in names
            if record.get(name) in (None, "", {})
        ]
        if problems:
            raise self._invalid(*problems)

    def _finish_registration(self, record: Record) -> None:
        registering.settle(record)
        others = (row.record for row in self._collection.rows() if row.record["id"] != record["id"])
        if problems := registering.problems_of(record, others=others):
            raise self._invalid(*problems)

    def _finish_company(self, record: Record) -> None:
        for row in self._collection.rows():
            other = row.record
            if other["id"] != record["id"] and str(other.get("identifier")).lower() == record["identifier"].lower():
                message = "A matching company identifier already exists"
                raise self._invalid(Problem(code="ObjectExists", message=message, **self._at("identifier")))

    def _finish_ticket(self, record: Record) -> None:
        board = record["board"]["id"] if record.get("board") else 1
        status = record.setdefault("status", catalogue.STATUSES[board * 10])
        if "id" not in status:
            status = record["status"] = self._status_of(board, name=status["name"])
        if status["id"] // 10 != board:
            raise self._no_such_status(board, status["id"], by="id")
        record["closedFlag"] = status["name"] in catalogue.CLOSED_STATUSES

    def _status_of(self, board: int, *, name: str) -> Record:
        for number, status in catalogue.STATUSES.items():
            if number // 10 == board and status["name"] == name:
                return {"_info": {}, **status}
        raise self._no_such_status(board, name, by="name")

    def _no_such_status(self, board: int, status: object, *, by: str) -> Exception:
        message = f"Service Status {status} not found for Service Board {board}"
        return self._invalid(Problem(code="NotFound", message=message, resource=self._resource, field=f"status/{by}"))

    @property
    def _resource(self) -> str:
        return resource_of(self._schema)

    def _at(self, name: str) -> dict[str, str]:
        return {"resource": self._resource, "field": name}

    def _mismatch(self, found: Field, expected: str) -> _Refused:
        message = f"The field {found.name} must be a value of type {expected}."
        return _Refused(Problem(code="InvalidField", message=message, **self._at(found.name)))

    def _invalid(self, *problems: Problem) -> Exception:
        return invalid_object(self._resource, problems)


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def json_body(raw: bytes) -> Any:
    """Raises Refusal (400) for what is no JSON, or holds text that cannot be stored."""
    try:
        value = json.loads(raw)
        encode(value)
    except (ValueError, RecursionError) as unreadable:  # half a surrogate pair is a ValueError too
        raise bad_request("The request body is not valid JSON.") from unreadable
    return value


def json_object(raw: bytes) -> Record:
    value = json_body(raw)
    if not isinstance(value, dict):
        raise bad_request("The request body must be a JSON object.")
    return value


def _scalar(found: Field, value: Any) -> Any:
    """The value in the field's type, taking `"13"` for 13 and the like; None when it is another."""
    if isinstance(value, (dict, list)):
        return None
    if found.type == "text":
        return value if isinstance(value, str) else json.dumps(value)
    if found.type == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())
    if found.type == "number":
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}", value):
            return int(value)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return value if is_number and abs(value) < GREATEST_NUMBER else None  # NaN is not less either
    moment = parse_stamp(value) if isinstance(value, str) else None
    return stamp(moment) if moment else None


def _operate_in_array(items: list[Any], op: str, rest: list[str], value: Any, path: str) -> None:
    """`/communicationItems/1/value`, `/communicationItems/1`, and `/communicationItems/-` to append."""
    index, *names = rest
    if op != "remove" and not names and not isinstance(value, dict):
        raise bad_request(f"The value for '{path}' must be an object.")
    if index == "-" and op == "add" and not names:
        items.append(value)
        return
    if not (is_id(index) and int(index) < len(items)) or len(names) > 1:
        raise bad_request(f"The path '{path}' points at nothing.")
    holder: Any = items[int(index)] if names else items
    key: Any = names[0] if names else int(index)
    if op == "remove":
        if names:
            holder.pop(key, None)
        else:
            del holder[key]
    elif op == "add" and not names:
        holder.insert(key, value)
    else:
        holder[key] = value


def _lay_over_custom_fields(record: Record, value: Any) -> None:
    """Items that are not named keep their value; an empty array clears nothing."""
    if not isinstance(value, list):
        raise bad_request("customFields must be an array.")
    given = {str(item.get("id")): item.get("value") for item in value if isinstance(item, dict)}
    record["customFields"] = [
        {**item, "value": given.get(str(item["id"]), item["value"])} for item in record.get("customFields", [])
    ]
