"""A contact's email addresses and numbers: `communicationItems`, as the server completes them."""

from __future__ import annotations

from connectors.sandbox import catalogue
from connectors.sandbox.collection import HREF_BASE
from connectors.sandbox.refusals import Problem, Refusal, invalid_object
from connectors.sandbox.schema import Record


def finish_contact(record: Record, before: Record) -> None:
    """Fill in what items leave out; of one type only one is the default, and a newly chosen one wins."""
    items: list[Record] = []
    theirs = [item["id"] for item in before.get("communicationItems", []) if isinstance(item.get("id"), int)]
    known = list(theirs)
    was_default = {item.get("id") for item in before.get("communicationItems", []) if item.get("defaultFlag")}
    for place, item in enumerate(record.get("communicationItems", [])):
        type_id = _communication_type(item)
        given = item.get("id")  # of an item that is new, whatever it says
        item_id = given if given in theirs else max([record["id"] * 10 + place, *[one + 1 for one in known]])
        known.append(item_id)
        value, is_default = str(item.get("value", "")), bool(item.get("defaultFlag"))
        items.append(communication_item(item_id, type_id, value, is_default=is_default))
    for communication_type in {item["communicationType"] for item in items}:
        chosen = [one for one in items if one["communicationType"] == communication_type and one["defaultFlag"]]
        winner = next((one for one in chosen if one["id"] not in was_default), chosen[0] if chosen else None)
        for one in chosen:
            one["defaultFlag"] = one is winner
    if items:
        record["communicationItems"] = items
    for item in items:
        if item["communicationType"] == "Phone" and item["defaultFlag"]:
            record["defaultPhoneType"], record["defaultPhoneNbr"] = item["type"]["name"], item["value"]


def communication_item(item_id: int, type_id: int, value: str, *, is_default: bool) -> Record:
    """An email address or a number as contacts carry it."""
    name, communication_type = catalogue.COMMUNICATION_TYPES[type_id]
    item: Record = {
        "id": item_id,
        "type": {
            "id": type_id,
            "name": name,
            "_info": {"type_href": f"{HREF_BASE}/company/communicationTypes/{type_id}"},
        },
        "value": value,
        "defaultFlag": is_default,
    }
    if communication_type == "Email" and "@" in value:
        item["domain"] = value[value.index("@") :]
    item["communicationType"] = communication_type
    return item


def _communication_type(item: Record) -> int:
    """By `type/id` or `type/name`. What the item itself says of its kind must agree."""
    given = item.get("type") or {}
    by = next((key for key in ("id", "name") if isinstance(given, dict) and key in given), None)
    if by is None:
        raise _refused("MissingRequiredField", "The type field is required.", "communicationItems/type")
    wanted = str(given[by]).lower()
    for number, (name, kind) in catalogue.COMMUNICATION_TYPES.items():
        if wanted == (str(number) if by == "id" else name.lower()):
            if str(item.get("communicationType") or kind).lower() != kind.lower():
                message = f"Communication Type {given[by]} is not of the kind {item['communicationType']}"
                raise _refused("InvalidField", message, "communicationItems/communicationType")
            return number
    raise _refused("NotFound", f"Communication Type {given[by]} not found", f"communicationItems/type/{by}")


def _refused(code: str, message: str, field: str) -> Refusal:
    return invalid_object("contact", [Problem(code=code, message=message, resource="contact", field=field)])
