"""Values as clients write them, as ConnectWise takes them, by the type of their field. Raises InvalidRecord."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.element import FieldType
from connectors.errors import InvalidRecord

Scalar = str | int | float | bool

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 2**63 - 1
_is_number = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,9})?").fullmatch
_is_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ].*)?").fullmatch
_WORDS: Mapping[str, str] = {
    "text": "a text",
    "number": "a number",
    "boolean": "true or false",
    "datetime": "a date, written like '2024-05-01T12:00:00Z'",
    "milliseconds": "a whole number: milliseconds since 1970, such as 1714564800000",
}


def written_value(name: str, field_type: FieldType, value: Any) -> Scalar | None:
    """The value for the provider; null stays null, which empties the field."""
    if value is None:
        return None
    try:
        written = _WRITTEN[field_type](value)
    except (ValueError, OverflowError):
        written = None
    if written is None:
        raise InvalidRecord(f"{name} is {_WORDS[field_type]}; what was sent is {_kind(value)}")
    return written


def _text(value: Any) -> str | None:
    """A zip code or a phone number may come without quotes."""
    if isinstance(value, str):
        return value
    return str(value) if _is_count(value) else None


def _number(value: Any) -> int | float | None:
    if isinstance(value, str) and _is_number(text := value.strip()):
        value = float(text) if "." in text else int(text)
    if not _is_count(value):
        return None
    return int(value) if value == int(value) else value


def _boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _datetime(value: Any) -> str | None:
    """In UTC. What has no offset is UTC: dates without a time must not move to the day before."""
    if not isinstance(value, str) or not _is_date(text := value.strip()):
        return None
    moment = datetime.fromisoformat(text)
    return _stamp(moment.astimezone(UTC) if moment.tzinfo else moment)


def _milliseconds(value: Any) -> str | None:
    if not _is_count(value) or value != int(value):
        return None
    return _stamp(_EPOCH + timedelta(milliseconds=int(value)))


def _stamp(moment: datetime) -> str:
    return moment.replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def _is_count(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and abs(value) <= _LARGEST


def _kind(value: Any) -> str:
    """What it is, without what it says: messages are kept."""
    kinds = ((bool, "true or false"), (str, "a text"), (list, "a list"), (dict, "an object"), (int | float, "a number"))
    found = next((word for kind, word in kinds if isinstance(value, kind)), "something else")
    return f"{found} of another form" if found in ("a text", "a number") else found


_WRITTEN: Mapping[str, Callable[[Any], Scalar | None]] = {
    "text": _text,
    "number": _number,
    "boolean": _boolean,
    "datetime": _datetime,
    "milliseconds": _milliseconds,
}
