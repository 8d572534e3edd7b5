"""A contact's email addresses and numbers: `communicationItems`, as the server completes them."""

from __future__ import annotations

from connectors.sandbox import catalogue
from connectors.sandbox.refusals import Problem, invalid_object
from connectors.sandbox.schema import Record
from connectors.sandbox.seeding import communication_item


def finish_contact(record: Record, before: Record) -> None:
    """Fill in what items leave out; of one type only one is the default, and a newly chosen one wins."""
    items: list[Record] = []
    known = [item.get("id") for item in before.get("communicationItems", [])]
    was_default = {item.get("id") for item in before.get("communicationItems", []) if item.get("defaultFlag")}
    for place, item in enumerate(record.get("communicationItems", [])):
        type_id = _communication_type(item)
        item_id = item.get("id") or max([record["id"] * 10 + place, *[one + 1 for one in known if one]])
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


def _communication_type(item: Record) -> int:
    """By `type/id`, else the first of its `communicationType`; Email when the item says nothing."""
    type_ = item.get("type")
    given = type_.get("id") if isinstance(type_, dict) else None
    if given is None:
        wanted = str(item.get("communicationType", "Email")).lower()
        found = [number for number, (_, kind) in catalogue.COMMUNICATION_TYPES.items() if kind.lower() == wanted]
    else:
        found = [number for number in catalogue.COMMUNICATION_TYPES if str(number) == str(given)]
    if not found:
        message = f"Communication Type {given} not found"
        field = "communicationItems/type/id"
        raise invalid_object("contact", [Problem(code="NotFound", message=message, resource="contact", field=field)])
    return found[0]
