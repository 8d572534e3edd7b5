"""What clients send to have events delivered again, checked. Knows no database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from events import where
from events.buckets import moment
from instances.errors import InvalidRequest
from instances.paging import LARGEST_NUMBER

DEFAULT_RATE, HIGHEST_RATE = 50, 1000
MOST_IDS = 1000
STATUSES = (where.DELIVERED, where.QUEUED, where.RETRY, where.ABANDONED)
"""What can be replayed. What is `created` is on its way to its first attempt."""
ENDED = (where.DELIVERED, where.QUEUED, where.ABANDONED)
"""What is replayed unless statuses are named: nothing that is still tried by itself."""

Value = TypeVar("Value")


class Wanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Which deliveries are meant: those to which everything given here applies. Kept as JSON with the replay."""

    instance_id: int | None = None
    """Whose events."""
    subscription_id: int | None = None
    statuses: tuple[str, ...]
    begins_at: datetime | None = msgspec.field(default=None, name="from")
    """Of the creation of events: a whole second, as is `ends_at`; both belong to the time."""
    ends_at: datetime | None = msgspec.field(default=None, name="to")
    event_ids: tuple[int, ...] | None = None
    delivery_ids: tuple[int, ...] | None = None
    where: str = ""

    def to_json(self) -> dict[str, Any]:
        json: dict[str, Any] = msgspec.to_builtins(self)
        return json

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> Wanted:
        return msgspec.convert(json, cls)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    wanted: Wanted
    rate: int
    """Deliveries per second."""
    reactivates: bool
    """Whether deactivated subscriptions among them are made active again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayChange:
    state: str | None
    rate: int | None


def parse(sent: object) -> ReplayRequest:
    """Raises InvalidRequest, and InvalidQuery for what is no query."""
    fields = _fields(sent, known=(*_SELECTORS, "rate", "reactivate"))
    if not any(name in fields for name in _SELECTORS):
        raise InvalidRequest(f"Say what to replay: {', '.join(_SELECTORS)}; what is given applies together")
    begins_at, ends_at = _given(fields, "from", _moment), _given(fields, "to", _moment)
    if begins_at and ends_at and ends_at < begins_at:
        raise InvalidRequest("to is before from")
    text = _given(fields, "where", _text) or ""
    return ReplayRequest(
        wanted=Wanted(
            instance_id=_given(fields, "instanceId", _id),
            subscription_id=_given(fields, "subscriptionId", _id),
            statuses=_statuses(_given(fields, "statuses", _named_statuses), where.parse(text)),
            begins_at=begins_at,
            ends_at=ends_at,
            event_ids=_given(fields, "eventIds", _ids),
            delivery_ids=_given(fields, "deliveryIds", _ids),
            where=text,
        ),
        rate=_given(fields, "rate", _rate) or DEFAULT_RATE,
        reactivates=_given(fields, "reactivate", _switch) or False,
    )


def parse_change(sent: object, *, states: Sequence[str]) -> ReplayChange:
    """Raises InvalidRequest."""
    fields = _fields(sent, known=("state", "rate"))
    state = fields.get("state")
    if state is not None and state not in states:
        raise InvalidRequest(f"state: send {', '.join(states)}")
    rate = _given(fields, "rate", _rate)
    if state is None and rate is None:
        raise InvalidRequest(f"Send what to change: state ({', '.join(states)}) or rate")
    return ReplayChange(state=state, rate=rate)


def _fields(sent: object, *, known: Sequence[str]) -> dict[str, Any]:
    """What was given; null is as good as nothing. A name misspelt would mean other deliveries than somebody thinks."""
    if not isinstance(sent, dict):
        raise InvalidRequest(f"Send a JSON object with some of {', '.join(known)}")
    if unknown := sorted(set(sent) - set(known)):
        raise InvalidRequest(f"{unknown[0][:40]} is not known; send some of {', '.join(known)}")
    return {name: value for name, value in sent.items() if value is not None}


def _given(fields: Mapping[str, Any], name: str, read: Callable[[str, object], Value]) -> Value | None:
    return read(name, fields[name]) if name in fields else None


def _statuses(named: tuple[str, ...] | None, asked: where.Where) -> tuple[str, ...]:
    if asked.status is None:
        return named or ENDED
    if named not in (None, (asked.status,)):
        raise InvalidRequest("where: status is given there and in statuses; name it once")
    return _named_statuses("where", [asked.status])


def _named_statuses(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(status in STATUSES for status in value):
        raise InvalidRequest(
            f"{name}: what can be replayed is {', '.join(STATUSES)}; what is {where.CREATED} is on its way already"
        )
    return tuple(status for status in STATUSES if status in value)


def _ids(name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_IDS:
        raise InvalidRequest(f"{name}: send a list of 1 to {MOST_IDS} ids")
    return tuple(sorted({_id(name, one) for one in value}))


def _id(name: str, value: object) -> int:
    """As a number, or as the text that the ids of events are elsewhere in the API."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)
    if type(value) is not int or not 0 < value <= LARGEST_NUMBER:
        raise InvalidRequest(f"{name}: {str(value)[:40]} is no id; send the number")
    return value


def _moment(name: str, value: object) -> datetime:
    return moment(name, value if isinstance(value, str) else "").replace(microsecond=0)


def _rate(name: str, value: object) -> int:
    if type(value) is not int or not 1 <= value <= HIGHEST_RATE:
        raise InvalidRequest(f"{name}: send a whole number from 1 to {HIGHEST_RATE}: deliveries per second")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"{name}: send text such as channel='webhook' and status='queued'")
    return value


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name}: send true or false")
    return value


_SELECTORS = ("instanceId", "subscriptionId", "statuses", "from", "to", "eventIds", "deliveryIds", "where")
