"""What the lists of events, deliveries and attempts can be narrowed by. `newest` finds the rows; these only ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from connectors import registry
from events.console.error_words import ERRORS
from events.console.newest import RETRYING, UNDELIVERED
from events.models import Delivery, Event

Choices = list[tuple[str, str]]


class Asking(SimpleListFilter):
    """Leaves the rows alone: they are found by what was asked, not the other way round."""

    offers: Choices

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return self.offers

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset

    def asked(self) -> str:
        """One of the offers, or nothing."""
        value = self.value() or ""
        return value if value in {name for name, _ in self.lookup_choices} else ""


class EventStatus(Asking):
    title = "delivery"
    parameter_name = "status"
    offers = [("delivered", "Delivered"), (UNDELIVERED, "Not delivered (yet)")]


class EventSource(Asking):
    title = "source"
    parameter_name = "source"
    offers = [
        (Event.POLL, "Found by a poll"),
        (Event.WEBHOOK, "Told by the provider"),
        (Event.POSTED, "Posted through the API"),
    ]


class EventElement(Asking):
    title = "element"
    parameter_name = "element"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(element.key, element.name) for element in registry.all_elements()]


class DeliveryState(Asking):
    title = "state"
    parameter_name = "state"
    offers = [
        (UNDELIVERED, "Not delivered"),
        (Delivery.PENDING, "Pending"),
        (RETRYING, "Pending after a failure"),
        (Delivery.DELIVERED, "Delivered"),
        (Delivery.QUEUED, "Queued"),
        (Delivery.ABANDONED, "Abandoned"),
    ]


class ErrorFilter(Asking):
    title = "last failure"
    parameter_name = "error"
    offers = [(str(one), words.short) for one, words in ERRORS.items()]


class TimeFilter(SimpleListFilter):
    """`from` and `to`, as `2026-11-22T13:00` (UTC): what replays are asked with, too."""

    title = "time"
    parameter_name = "from"
    template = "console/events/time_filter.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        self.given = {name: _last(params.pop(name, "")) for name in ("from", "to")}
        self.others = {name: _last(value) for name, value in params.items()}
        super().__init__(request, params, model, model_admin)

    @property
    def begins_at(self) -> datetime | None:
        return _moment(self.given["from"])

    @property
    def ends_at(self) -> datetime | None:
        return _moment(self.given["to"])

    def expected_parameters(self) -> list[str | None]:
        return ["from", "to"]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("1", "Last hour"), ("24", "Last 24 hours"), ("168", "Last 7 days"), ("720", "Last 30 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset

    def value(self) -> str | None:
        return self.given["from"] or self.given["to"] or None

    def choices(self, changelist: Any) -> Iterator[Any]:
        now = timezone.now()
        yield {
            "selected": not self.value(),
            "display": "Any time",
            "query_string": changelist.get_query_string(remove=["from", "to"]),
        }
        for hours, said in self.lookup_choices:
            begins = _text(now - timedelta(hours=int(hours)))
            yield {
                "selected": False,
                "display": said,
                "query_string": changelist.get_query_string({"from": begins}, remove=["to"]),
            }


def _last(value: Any) -> str:
    return str(value[-1] if isinstance(value, list) and value else value or "")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")


def _moment(text: str) -> datetime | None:
    """None for what is no moment: a page that shows too much is better than none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 2000 <= moment.year < 2100:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
