"""The `where` of deliveries: `channel='webhook' and status='queued' and config.url='https://...'`, nothing else.

Terms on the subscription and the status are kept apart: a request to redeliver reactivates subscriptions even where
none of their deliveries is left.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from connectors import ceql
from events.models import Delivery, Subscription
from instances.errors import InvalidRequest
from instances.models import Organization

CREATED, RETRY, DELIVERED, QUEUED, ABANDONED = "created", "retry", "delivered", "queued", "abandoned"

# What a delivery's status is on the wire, by its row.
STATUSES = {
    CREATED: Q(state=Delivery.PENDING, first_failed_at__isnull=True),
    RETRY: Q(state=Delivery.PENDING, first_failed_at__isnull=False),
    DELIVERED: Q(state=Delivery.DELIVERED),
    QUEUED: Q(state=Delivery.QUEUED),
    ABANDONED: Q(state=Delivery.ABANDONED),
}
_FIELDS = {"channel": "channel", "config.url": "url"}


@dataclass(frozen=True, slots=True)
class Where:
    """Which deliveries are meant: those of some subscriptions, in some state."""

    columns: dict[str, str]
    """Of the subscription."""
    status: str | None

    @property
    def in_words(self) -> str:
        """Without the query string of a URL, where receivers keep secrets."""
        said = [f"{name} {value.partition('?')[0]}" for name, value in sorted(self.columns.items())]
        return ", ".join([*said, *([self.status] if self.status else [])])

    def subscriptions(self, organization: Organization) -> QuerySet[Subscription]:
        return Subscription.objects.filter(organization=organization, **self.columns)

    def deliveries(self, organization: Organization) -> QuerySet[Delivery]:
        columns = {f"subscription__{name}": value for name, value in self.columns.items()}
        rows = Delivery.objects.filter(organization=organization, **columns)
        return rows if self.status is None else rows.filter(STATUSES[self.status])


def parse(text: str) -> Where:
    """Raises InvalidQuery for what is no query, InvalidRequest for one that asks about something else."""
    columns: dict[str, str] = {}
    status = None
    for field, value in _terms(ceql.parse(text)) if text.strip() else ():
        if field == "status":
            if value not in STATUSES:
                raise InvalidRequest(f"where: status is one of {', '.join(STATUSES)}")
            if status not in (None, value):
                raise InvalidRequest("where: a delivery has one status; name one")
            status = value
        elif field in _FIELDS:
            if columns.setdefault(_FIELDS[field], value) != value:
                raise InvalidRequest(f"where: {field} is given twice")
        else:
            raise InvalidRequest(f"where: {field[:40]} is not known; use channel, status and config.url")
    return Where(columns, status)


def _terms(query: ceql.Expression) -> list[tuple[str, str]]:
    match query:
        case ceql.And(terms):
            return [pair for term in terms for pair in _terms(term)]
        case ceql.Comparison(field, "=", str(value)):
            if "\x00" in value:
                raise InvalidRequest(f"where: {field[:40]} holds a NUL character")
            return [(field, value)]
        case _:
            raise InvalidRequest("where: write field='value', joined by and")
