"""What the `PUT` of deliveries asks for: at once where they are few, as a replay where they are many."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from events import replays, subscriptions
from events.models import Delivery
from events.replay_requests import HIGHEST_RATE, ReplayRequest, Wanted
from events.where import Where
from instances.models import Organization, User

MOST_AT_ONCE = 10_000
"""Beyond that a request would take longer to change the rows than clients wait."""


def begin_again(
    *, user: User, organization: Organization, meant: Where, text: str, count: int, first: Sequence[Delivery]
) -> int:
    """Reactivate the subscriptions and begin about `count` deliveries again, of which these are the first.

    Returns how many. `meant` has been read from `text` and names a status. Raises Conflict where too many replays go
    on.
    """
    deliveries = meant.deliveries(organization)
    reactivate = meant.subscriptions(organization).exclude(url="")
    if count <= MOST_AT_ONCE:
        return subscriptions.redeliver(deliveries, reactivate=reactivate)
    assert meant.status is not None
    wanted = Wanted(statuses=(meant.status,), where=text)
    with transaction.atomic():
        subscriptions.redeliver(deliveries.filter(pk__in=[row.pk for row in first]), reactivate=reactivate)
        # It meets these again and passes them over: they are on their way.
        asked = ReplayRequest(wanted=wanted, rate=HIGHEST_RATE, reactivates=False)
        replays.create(user=user, organization=organization, asked=asked)
    return count
